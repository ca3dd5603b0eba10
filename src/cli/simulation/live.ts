/** Greylisting in shadow: the decisions on a log that is being written. */
import { addAbortSignal } from 'node:stream';
import { addressText } from '../../greylist/address.js';
import type { Decision } from '../../greylist/decide.js';
import { Failure } from '../../greylist/failure.js';
import { printable } from '../../greylist/printable.js';
import type { LoggedAttempt } from '../../maillog/attempts.js';
import type { FollowOptions } from '../../maillog/read.js';
import { duration, localTime } from '../../output/format.js';
import type { Arguments, Process } from '../context.js';

/** One attempt for people: what the log says of it, and what would have been decided. */
export function liveLine({ attempt, logged }: LoggedAttempt, decision: Decision): string {
  const { verdict, reason, waitSeconds } = decision;
  const client = `${attempt.clientName}[${addressText(attempt.client)}]`;
  const wait = waitSeconds > 0 ? `, wait ${duration(waitSeconds)}` : '';
  return printable(
    `${localTime(attempt.time)} ${client} <${attempt.sender}> <${attempt.recipient}> ${logged}, would be: ${verdict} (${reason})${wait}`,
  );
}

/** Following until SIGINT or SIGTERM, where `--follow` asks for it; a second signal of either kind ends the process. */
export function followUntilSignal(argv: Arguments, outside: Process): FollowOptions | undefined {
  if (argv['follow'] !== true) return undefined;
  if (argv['sweep'] !== undefined) {
    throw new Failure('--follow and --sweep do not go together: decisions are shown for one setting', {
      kind: 'usage',
    });
  }
  const stopping = new AbortController();
  const signals = ['SIGINT', 'SIGTERM'] as const;
  const stop = () => {
    for (const signal of signals) process.off(signal, stop);
    stopping.abort();
  };
  for (const signal of signals) process.on(signal, stop);
  return { stop: stopping.signal, clock: outside.now };
}

/** Standard input, which ends when following does. */
export function standardInput(follow: FollowOptions | undefined): NodeJS.ReadStream {
  return follow ? addAbortSignal(follow.stop, process.stdin) : process.stdin;
}
