/** Asks a policy server who it is. */
import { connect, type Socket } from 'node:net';
import { parseEndpoint } from '../../config/endpoint.js';
import { reasonOf } from '../../greylist/failure.js';
import { excerpt } from '../../greylist/printable.js';
import { probe, probedVersion } from '../../policy/probe.js';
import { ok, type Finding } from '../../postfix/finding.js';
import { version } from '../version.js';

const deadlineMs = 3000;

/** More than any answer. */
const mostCharacters = 10_000;

function open(endpoint: string): Socket {
  const path = /^unix:(.*)$/.exec(endpoint)?.[1];
  if (path !== undefined) return connect(path);
  const target = parseEndpoint(endpoint.replace(/^inet:/, ''));
  // A socket on all addresses is reached over loopback.
  const host = target?.host.replace('0.0.0.0', '127.0.0.1').replace(/^::$/, '::1');
  return connect({ host: host ?? '', port: target?.port ?? 0 });
}

/** What the server at `endpoint` answers; rejects with why there was none. */
function ask(endpoint: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = open(endpoint);
    let answer = '';
    const end = (error?: Error) => {
      clearTimeout(timer);
      socket.destroy();
      if (error) reject(error);
      else resolve(answer.trim());
    };
    const timer = setTimeout(() => {
      end(new Error(`no answer within ${deadlineMs / 1000} s`));
    }, deadlineMs);
    socket.setEncoding('utf8');
    socket.once('connect', () => socket.write(probe));
    socket.on('data', (chunk: string) => {
      answer += chunk;
      if (answer.includes('\n\n') || answer.length > mostCharacters) end();
    });
    socket.once('error', end);
    socket.once('close', () => {
      end(new Error('it closed the connection without an answer'));
    });
  });
}

function ofVersion(endpoint: string, running: string): Finding {
  const check = 'server';
  if (running === version()) return ok(check, `${endpoint} answers`);
  return {
    check,
    severity: 'note',
    what: `${endpoint} answers, as greyctl ${running}; this is ${version()}`,
    why: 'A server goes on as what it was started as.',
    remedy: 'systemctl restart greyctl',
  };
}

/** Is the server there, and is it this one? `endpoint` is `inet:HOST:PORT`, or `unix:` and an absolute path. */
export async function reachability(endpoint: string): Promise<Finding> {
  const check = 'server';
  try {
    const answer = await ask(endpoint);
    const running = probedVersion(answer);
    if (running !== undefined) return ofVersion(endpoint, running);
    return {
      check,
      severity: 'problem',
      what: `another program than greyctl answers at ${endpoint}: ${excerpt(answer)}`,
      why: 'Postfix asks that program, and what greyctl remembers is not used.',
      remedy: 'ss -lptn tells which program listens there',
    };
  } catch (error) {
    const place = endpoint.replace(/^(inet|unix):/, '--$1=');
    return {
      check,
      severity: 'problem',
      what: `nothing answers at ${endpoint}: ${reasonOf(error)}`,
      why: 'Postfix takes its default action for every mail: unless told otherwise, all mail waits.',
      remedy: `systemctl start greyctl, or greyctl serve ${place}`,
    };
  }
}
