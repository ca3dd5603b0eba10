/**
 * One side of a line protocol over a socket: send, expect, expectClosed. Every step has a deadline, and its error shows
 * what had arrived instead.
 */
import net from 'node:net';
import { stepMilliseconds, within } from './deadline.js';

export interface Conversation {
  readonly send: (data: string | Uint8Array) => void;
  /** Everything up to and including the first match of `ending`; steps may be begun before earlier ones are done. */
  readonly expect: (ending: RegExp, news: string) => Promise<string>;
  /** Resolves when the peer has closed without another byte. */
  readonly expectClosed: () => Promise<void>;
  /** Says that nothing more will be sent, and goes on reading. */
  readonly end: () => void;
  readonly close: () => void;
}

interface Step {
  readonly ending: RegExp;
  resolve(text: string): void;
  reject(error: Error): void;
}

/** `inet:HOST:PORT`, `inet:[V6]:PORT` or `unix:PATH` as the options of a socket. */
export function socketAddress(endpoint: string): net.NetConnectOpts {
  if (endpoint.startsWith('unix:')) return { path: endpoint.slice(5) };
  const [, host, port] = /^(?:inet:)?\[?([^\]]*?)\]?:(\d+)$/.exec(endpoint) ?? [];
  if (host === undefined) throw new Error(`not an endpoint: ${endpoint}`);
  return { host, port: Number(port) };
}

async function connected(endpoint: string, deadline: number): Promise<net.Socket> {
  const socket = net.connect(socketAddress(endpoint));
  const connection = new Promise<net.Socket>((resolve, reject) => {
    socket.once('connect', () => {
      resolve(socket);
    });
    socket.once('error', reject);
  });
  try {
    return await within(connection, `connection to ${endpoint}`, deadline);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Connects to `endpoint`; the caller closes. */
export async function converse(endpoint: string, deadline = stepMilliseconds): Promise<Conversation> {
  const socket = await connected(endpoint, deadline);
  const steps: Step[] = [];
  let unread = '';
  let closed = false;

  const advance = () => {
    for (let step = steps[0]; step; step = steps[0]) {
      const found = step.ending.exec(unread);
      if (!found && !closed) return;
      steps.shift();
      if (!found) {
        step.reject(new Error(`${endpoint} closed after ${JSON.stringify(unread)}`));
        continue;
      }
      const end = found.index + found[0].length;
      step.resolve(unread.slice(0, end));
      unread = unread.slice(end);
    }
  };
  socket.setNoDelay(true).setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    unread += chunk;
    advance();
  });
  const end = new Promise<void>((resolve) => {
    const finish = () => {
      closed = true;
      advance();
      resolve();
    };
    // A reset is a close too: the peer did not read all that was sent.
    socket.on('error', finish).on('end', finish).on('close', finish);
  });

  return {
    send: (data) => void socket.write(data),
    async expect(ending, news) {
      const step = new Promise<string>((resolve, reject) => {
        steps.push({ ending, resolve, reject });
      });
      advance();
      try {
        return await within(step, `${news} from ${endpoint}`, deadline);
      } catch (error) {
        socket.destroy();
        const detail = error instanceof Error ? error.message : String(error);
        throw new Error(`${detail} (unread: ${JSON.stringify(unread)})`, { cause: error });
      }
    },
    async expectClosed() {
      await within(end, `close by ${endpoint}`, deadline);
      if (unread !== '') throw new Error(`${endpoint} sent ${JSON.stringify(unread)} before it closed`);
    },
    end: () => void socket.end(),
    close: () => void socket.destroy(),
  };
}
