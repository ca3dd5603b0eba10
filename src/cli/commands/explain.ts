import { readFileSync } from 'node:fs';
import type { Argv } from 'yargs';
import type { Values } from '../../config/options.js';
import { settingsOf } from '../../config/resolve.js';
import type { Attempt } from '../../greylist/attempt.js';
import {
  decide,
  isAlive,
  isClientAlive,
  keyed,
  type Decision,
  type Entry,
  type Memory,
} from '../../greylist/decide.js';
import { Failure } from '../../greylist/failure.js';
import { printable } from '../../greylist/printable.js';
import type { Settings } from '../../greylist/settings.js';
import { tripletOf, type Triplet } from '../../greylist/triplet.js';
import { duration, localTime, times, timestamp } from '../../output/format.js';
import type { Terminal } from '../../output/terminal.js';
import type { Match, Whitelist } from '../../whitelist/matcher.js';
import { textOf } from '../arguments.js';
import { attemptOf, declareAttempt } from '../attempt.js';
import { settingsFor, terminalFor, withExistingStore, type Arguments, type Process } from '../context.js';
import { entryPlace, loadLists } from '../lists.js';
import { readPasted } from '../pasted.js';

const hour = 3600;

/** Times stand in sentences: local for people, RFC 3339 for programs. */
type WriteTime = (epochSeconds: number) => string;

interface Step {
  readonly check: string;
  readonly result: string;
  /** What made the check say so: an entry, or what is remembered. */
  readonly matched: string | null;
}

interface Explanation {
  readonly decision: Decision;
  /** Of a retry in an hour. */
  readonly inAnHour: Decision;
  readonly triplet: Triplet;
  readonly steps: readonly Step[];
}

function whitelistSteps(match: Match | undefined): Step[] {
  const steps: Step[] = [];
  for (const kind of ['client', 'recipient', 'sender'] as const) {
    if (match?.entry.kind === kind) {
      steps.push({
        check: `${kind} whitelist`,
        result: 'pass',
        matched: `${match.entry.pattern} (${entryPlace(match.entry)})`,
      });
      break;
    }
    steps.push({ check: `${kind} whitelist`, result: 'no match', matched: null });
  }
  return steps;
}

function clientStep(memory: Memory, now: number, settings: Settings, writeTime: WriteTime): Step {
  const check = 'client AWL';
  if (settings.awlClients === 0) return { check, result: 'off', matched: null };
  const { client } = memory;
  if (!client) return { check, result: 'no match', matched: null };
  const matched = `counted ${times(client.count)}, ${settings.awlClients} needed, last ${writeTime(client.lastCounted)}`;
  if (!isClientAlive(client, now, settings)) return { check, result: 'expired', matched };
  return { check, result: client.count >= settings.awlClients ? 'pass' : 'no match', matched };
}

function windowStep({ openUntil }: Memory, now: number, writeTime: WriteTime): Step {
  const check = 'recipient window';
  if (openUntil === undefined) return { check, result: 'no match', matched: null };
  return openUntil > now
    ? { check, result: 'open', matched: `all mail to the recipient passes until ${writeTime(openUntil)}` }
    : { check, result: 'over', matched: `was open until ${writeTime(openUntil)}` };
}

/** What is remembered of a triplet, in words. */
function pastOf(entry: Entry, writeTime: WriteTime): string {
  const { firstSeen, lastSeen, deferrals, passedAt, passes, releasedAt } = entry;
  if (passedAt !== undefined)
    return `passed ${times(passes)} since ${writeTime(passedAt)}, last seen ${writeTime(lastSeen)}`;
  const released = releasedAt === undefined ? '' : `, released ${writeTime(releasedAt)}`;
  return `first seen ${writeTime(firstSeen)}, deferred ${times(deferrals)}${released}`;
}

function tripletStep(
  memory: Memory,
  decision: Decision,
  now: number,
  settings: Settings,
  writeTime: WriteTime,
): Step {
  const { entry } = memory;
  const result = `${decision.verdict}: ${decision.reason}`;
  if (!entry) return { check: 'triplet', result, matched: null };
  const past = pastOf(entry, writeTime);
  return { check: 'triplet', result, matched: isAlive(entry, now, settings) ? past : `${past}; expired` };
}

/** The decision of an attempt at `time`, with what is remembered now. */
function decisionAt(
  time: number,
  attempt: Attempt,
  lists: Whitelist,
  memory: Memory,
  settings: Settings,
): Decision {
  const match = lists.match(attempt, time);
  const prepared = match ? { time, exemption: match.exemption } : { ...keyed(attempt, settings), time };
  return decide(prepared, memory).decision;
}

function explain(
  attempt: Attempt,
  lists: Whitelist,
  memory: Memory,
  settings: Settings,
  writeTime: WriteTime,
): Explanation {
  const { time } = attempt;
  const match = lists.match(attempt, time);
  const decision = decisionAt(time, attempt, lists, memory, settings);
  // A retry in an hour comes to what this attempt leaves behind.
  const after = match ? memory : decide(keyed(attempt, settings), memory).memory;
  const steps = whitelistSteps(match);
  if (!match) steps.push(clientStep(memory, time, settings, writeTime));
  if (!match && decision.reason !== 'client AWL')
    steps.push(windowStep(memory, time, writeTime), tripletStep(memory, decision, time, settings, writeTime));
  return {
    decision,
    inAnHour: decisionAt(time + hour, attempt, lists, after, settings),
    triplet: tripletOf(attempt, settings),
    steps,
  };
}

async function print(
  terminal: Terminal,
  attempt: Attempt,
  { decision, inAnHour, triplet, steps }: Explanation,
): Promise<void> {
  const { style } = terminal;
  const verdict = decision.verdict === 'pass' ? style.green('pass') : style.yellow('greylist');
  await terminal.line(`${verdict} (${decision.reason})`);
  await terminal.line(
    `triplet: ${printable(`${triplet.client} / ${triplet.sender || '<>'} / ${triplet.recipient}`)}`,
  );
  if (decision.verdict === 'greylist') {
    const until = localTime(attempt.time + decision.waitSeconds);
    await terminal.line(`a retry passes in ${duration(decision.waitSeconds)}, from ${until} on`);
  }
  const wait = inAnHour.waitSeconds > 0 ? `, ${duration(inAnHour.waitSeconds)} left` : '';
  await terminal.line(`in an hour: ${inAnHour.verdict} (${inAnHour.reason}${wait})`);
  await terminal.line();
  await terminal.table(
    [{ title: 'CHECK' }, { title: 'RESULT' }, { title: 'BECAUSE', isElastic: true }],
    steps.map((step) => [step.check, step.result, step.matched ?? '']),
  );
}

/** `greyctl explain`: what would be decided now, and why. */
export function declare(yargs: Argv): Argv {
  return declareAttempt(yargs, false)
    .usage(
      '$0 explain --client ADDRESS --sender SENDER --recipient RECIPIENT [OPTION…]\n$0 explain --log LINE [OPTION…]',
    )
    .option('log', {
      type: 'string',
      requiresArg: true,
      describe: 'take the attempt from this line of mail.log; - reads it from standard input [LINE]',
    });
}

/** What the options say, and for the rest the pasted line. */
async function askedFor(argv: Arguments, values: Values, now: number): Promise<Attempt> {
  const given = textOf(argv, 'log');
  if (given !== undefined) {
    const line = given === '-' ? readFileSync(0, 'utf8') : given;
    return attemptOf(argv, values, now, readPasted(line, now));
  }
  const missing = ['client', 'recipient'].filter((name) => textOf(argv, name) === undefined);
  if (missing.length > 0) {
    const names = missing.map((name) => `--${name}`).join(' and ');
    throw new Failure(`${names} must be given, or a line of the log with --log`, { kind: 'usage' });
  }
  return attemptOf(argv, values, now);
}

/** Explains one attempt; changes nothing. */
export async function run(argv: Arguments, outside: Process): Promise<undefined> {
  const { values } = settingsFor(argv, outside);
  const settings = settingsOf(values);
  const attempt = await askedFor(argv, values, outside.now());
  const key = keyed(attempt, settings);
  const explanation = await withExistingStore(values, outside, async (store) => {
    const lists = await loadLists(values, store, outside.stderr);
    const memory = await store.recall(key.triplet, key.address);
    return explain(attempt, lists, memory, settings, values.json ? timestamp : localTime);
  });
  const terminal = terminalFor(values, outside);
  if (!values.json) {
    await print(terminal, attempt, explanation);
    return undefined;
  }
  const { decision, inAnHour, triplet, steps } = explanation;
  await terminal.json({
    verdict: decision.verdict,
    reason: decision.reason,
    triplet,
    wait_seconds: decision.waitSeconds,
    in_an_hour: {
      verdict: inAnHour.verdict,
      reason: inAnHour.reason,
      wait_seconds: inAnHour.waitSeconds,
    },
    steps,
  });
  return undefined;
}
