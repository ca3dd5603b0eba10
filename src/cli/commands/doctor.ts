import path from 'node:path';
import type { Argv } from 'yargs';
import { endpointText, parseEndpoint } from '../../config/endpoint.js';
import type { Values } from '../../config/options.js';
import { inetOf } from '../../config/resolve.js';
import { Failure } from '../../greylist/failure.js';
import { printable } from '../../greylist/printable.js';
import type { Terminal } from '../../output/terminal.js';
import { behaviour, greylisters, unixSocket } from '../../postfix/behaviour.js';
import { parseConfiguration, viewOf, type Configuration } from '../../postfix/configuration.js';
import type { Finding, Severity } from '../../postfix/finding.js';
import { order, relaying } from '../../postfix/order.js';
import { isOwn, policyChecks, presence, publicService, submissions } from '../../postfix/wiring.js';
import { declareSettings, textOf } from '../arguments.js';
import { answerIsNo } from '../command.js';
import { settingsFor, terminalFor, type Arguments, type Process } from '../context.js';
import { database } from '../doctoring/database.js';
import { askPostconf, readSaved } from '../doctoring/postconf.js';
import { reachability } from '../doctoring/probe.js';
import { socketState } from '../doctoring/socket.js';

/** Where the server of these settings listens: `inet:HOST:PORT`, or `unix:` and an absolute path. */
function ownEndpoints(values: Values): string[] {
  const inet = inetOf(values).flatMap((text) => {
    const endpoint = parseEndpoint(text);
    return endpoint ? [`inet:${endpointText(endpoint)}`] : [];
  });
  return [...inet, ...values.unix.map((socket) => `unix:${path.resolve(socket)}`)];
}

/** What the configuration of Postfix shows, as its service for mail from outside sees it. */
function postfixFindings(configuration: Configuration, own: readonly string[], values: Values): Finding[] {
  const taker = publicService(configuration);
  const view = viewOf(configuration, taker);
  const found = policyChecks(view).find(({ service }) => isOwn(service.endpoint, own, view));
  const ofCheck = found
    ? [
        ...order(found, view, values['greylist-authenticated']),
        ...behaviour(found, view, values['max-connections']),
        ...unixSocket(found, view, taker, (file) => socketState(file, view.value('mail_owner'))),
      ]
    : [];
  return [
    presence(view, own, taker?.overrides.has('smtpd_recipient_restrictions') ?? false),
    ...ofCheck,
    ...submissions(configuration, own),
    relaying(view),
    ...greylisters(configuration, view, own),
  ];
}

function isWrong({ severity }: Finding): boolean {
  return severity === 'problem' || severity === 'warning';
}

async function print(terminal: Terminal, findings: readonly Finding[]): Promise<void> {
  const { style } = terminal;
  const paint: Record<Severity, (text: string) => string> = {
    ok: style.green,
    note: style.cyan,
    warning: style.yellow,
    problem: style.red,
  };
  for (const { check, severity, what, why, remedy } of findings) {
    await terminal.line(`${paint[severity](severity.padEnd(9))}${check}: ${printable(what)}`);
    if (why !== undefined) await terminal.line(`${' '.repeat(9)}${why}`);
    if (remedy !== undefined) await terminal.line(`${' '.repeat(9)}Try: ${printable(remedy)}`);
  }
  const wrong = findings.filter(isWrong).length;
  await terminal.line();
  await terminal.line(
    wrong === 0 ? 'All is well.' : wrong === 1 ? 'One thing is wrong.' : `${wrong} things are wrong.`,
  );
}

/** What Postfix's side shows; where its postconf cannot be asked, the rest is still looked at. */
function ofPostfix(saved: string | undefined, own: readonly string[], values: Values, outside: Process) {
  if (saved !== undefined) return postfixFindings(parseConfiguration(readSaved(saved)), own, values);
  let text: string;
  try {
    text = askPostconf(outside.environment);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const { message: what, hint } = error;
    const why = 'Nothing can be said of how Postfix is wired.';
    return [
      { check: 'postfix', severity: 'problem', what, why, ...(hint && { remedy: hint }) },
    ] satisfies Finding[];
  }
  return postfixFindings(parseConfiguration(text), own, values);
}

/** `greyctl doctor`: is this Postfix wired right, is the server there, is the database healthy? */
export function declare(yargs: Argv): Argv {
  return declareSettings(yargs.usage('$0 doctor [OPTION…]'), ['server', 'decision']).option('postconf', {
    type: 'string',
    requiresArg: true,
    describe: 'read what `postconf -n` printed from this file, - for standard input [FILE]',
  });
}

/** Looks at everything and changes nothing; status 3 when something is wrong. */
export async function run(argv: Arguments, outside: Process): Promise<number> {
  const { values } = settingsFor(argv, outside);
  const saved = textOf(argv, 'postconf');
  const own = ownEndpoints(values);
  const findings = [
    ...ofPostfix(saved, own, values, outside),
    ...(await Promise.all(own.map(reachability))),
    ...(await database(values, outside)),
  ];
  const terminal = terminalFor(values, outside);
  if (values.json) {
    await terminal.json({
      healthy: !findings.some(isWrong),
      findings: findings.map(({ check, severity, what, why, remedy }) => ({
        check,
        severity,
        what,
        why: why ?? null,
        try: remedy ?? null,
      })),
    });
  } else await print(terminal, findings);
  return findings.some(isWrong) ? answerIsNo : 0;
}
