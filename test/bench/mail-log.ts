/**
 * Mail logs as Postfix with a greylisting policy server writes them, the same for the same seed. 60 % of the attempts are deferred,
 * mostly of strangers who never come back; 40 % are accepted, with all the lines of a message that is delivered. Lines of
 * transactions that overlap are mixed.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { Logged } from '#src/maillog/attempts.js';
import { random } from '../support/random.js';
import { createStrangers, type Correspondence } from './strangers.js';

export interface MailLogOptions {
  readonly seed: number;
  /** The log ends with the transaction in which it reaches either. */
  readonly mostBytes?: number;
  readonly mostAttempts?: number;
  /** Default: traditional, in UTC. */
  readonly stamps?: 'traditional' | 'rfc3339';
  /** Whether postgrey's own lines are in the log as well. */
  readonly policyLines?: boolean;
  /** Every attempt has a triplet of its own; otherwise senders come back. */
  readonly allDifferent?: boolean;
  /** Average distance of attempts; default 1.5, which are 60,000 a day. */
  readonly secondsBetween?: number;
  /** Told of each attempt, in the order of their times. */
  readonly onAttempt?: (attempt: WrittenAttempt) => void;
}

export interface WrittenAttempt extends Correspondence {
  /** Epoch seconds. */
  readonly time: number;
  readonly logged: Logged;
}

export interface Written {
  readonly bytes: number;
  readonly attempts: Record<Logged, number>;
}

/** 2026-03-02 00:00 UTC: the time of the first line. */
export const logStart = Date.UTC(2026, 2, 2) / 1000;

interface Line {
  readonly time: number;
  readonly text: string;
}

/** A deferred sender that comes back at `time`. */
interface Retry {
  readonly time: number;
  readonly who: Correspondence;
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The head of a line with this time, up to the tag; `fraction` in microseconds. */
function headOf(time: number, fraction: number, stamps: MailLogOptions['stamps']): string {
  const iso = new Date(time * 1000).toISOString();
  if (stamps === 'rfc3339') return `${iso.slice(0, 19)}.${String(fraction).padStart(6, '0')}+00:00 mx `;
  const day = String(Number(iso.slice(8, 10))).padStart(2);
  return `${months[Number(iso.slice(5, 7)) - 1] ?? ''} ${day} ${iso.slice(11, 19)} mx `;
}

function queueIdOf(number: number, micro: number): string {
  return (micro.toString(16).padStart(5, '0') + (0x20000 + (number % 0x80000)).toString(16)).toUpperCase();
}

function postgreyLine(who: Correspondence, action: string): string {
  const { clientName, clientAddress, sender, recipient } = who;
  const from = sender === '' ? '' : `, sender=${sender}`;
  return `postgrey[711]: ${action}, client_name=${clientName}, client_address=${clientAddress}${from}, recipient=${recipient}`;
}

/** The lines of a deferred attempt, with their seconds after its time. */
function deferredLines(who: Correspondence, smtpd: string, policyLines: boolean): [number, string][] {
  const client = `${who.clientName}[${who.clientAddress}]`;
  const reply = `450 4.2.0 <${who.recipient}>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/${who.recipient.slice(who.recipient.indexOf('@') + 1)}.html`;
  const envelope = `from=<${who.sender}> to=<${who.recipient}> proto=ESMTP helo=<${who.helo}>`;
  return [
    [0, `${smtpd}: connect from ${client}`],
    ...(policyLines ? [[0, postgreyLine(who, 'action=greylist, reason=new')] as [number, string]] : []),
    [0, `${smtpd}: NOQUEUE: reject: RCPT from ${client}: ${reply}; ${envelope}`],
    [1, `${smtpd}: disconnect from ${client} ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4`],
  ];
}

/** The lines of an accepted attempt, with their seconds after its time. */
function acceptedLines(
  who: Correspondence,
  smtpd: string,
  policyLines: boolean,
  mail: { readonly queueId: string; readonly sizeBytes: number; readonly messageId: string },
): [number, string][] {
  const client = `${who.clientName}[${who.clientAddress}]`;
  const { queueId, sizeBytes, messageId } = mail;
  const lmtp = 'relay=mx.example.org[private/dovecot-lmtp], delay=1.3, delays=1.2/0.01/0.02/0.07, dsn=2.0.0';
  const saved = `status=sent (250 2.0.0 <${who.recipient}> ${queueId}x4mAEd${sizeBytes} Saved)`;
  return [
    [0, `${smtpd}: connect from ${client}`],
    ...(policyLines ? [[0, postgreyLine(who, 'action=pass, reason=triplet found')] as [number, string]] : []),
    [0, `${smtpd}: ${queueId}: client=${client}`],
    [0, `postfix/cleanup[4711]: ${queueId}: message-id=<${messageId}>`],
    [1, `postfix/qmgr[903]: ${queueId}: from=<${who.sender}>, size=${sizeBytes}, nrcpt=1 (queue active)`],
    [1, `${smtpd}: disconnect from ${client} ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7`],
    [2, `postfix/lmtp[4713]: ${queueId}: to=<${who.recipient}>, ${lmtp}, ${saved}`],
    [2, `postfix/qmgr[903]: ${queueId}: removed`],
  ];
}

/** Chooses who tries next, and what the server says. */
function createTraffic(options: MailLogOptions, dice: ReturnType<typeof random>) {
  const stranger = createStrangers(dice);
  const waiting: Retry[] = [];
  const regulars: [Correspondence, ...Correspondence[]] = [stranger()];
  for (let more = 1; more < 3000; more += 1) regulars.push(stranger());

  const accepted = (time: number): Correspondence => {
    if (options.allDifferent) return stranger();
    const back = waiting[0] && waiting[0].time <= time ? waiting.shift() : undefined;
    if (!back) return dice.oneOf(regulars);
    regulars[dice.pick(regulars.length)] = back.who;
    return back.who;
  };
  return (time: number): Omit<WrittenAttempt, 'time'> => {
    if (dice.pick(10) >= 6) return { ...accepted(time), logged: 'accepted' };
    const who = stranger();
    if (dice.pick(4) === 0) waiting.push({ time: time + 600 + dice.pick(1200), who });
    return { ...who, logged: 'greylisted' };
  };
}

/** The text of a log, in pieces of whole lines; returns what was written. */
export function* mailLog(options: MailLogOptions): Generator<string, Written, undefined> {
  const dice = random(options.seed);
  const {
    mostBytes = Infinity,
    mostAttempts = Infinity,
    secondsBetween = 1.5,
    policyLines = false,
  } = options;
  const next = createTraffic(options, dice);
  const attempts: Record<Logged, number> = { accepted: 0, greylisted: 0 };
  let lines: Line[] = [];
  let bytes = 0;
  let exactTime = logStart;

  const textUntil = (time: number): string => {
    const text = lines
      .filter((line) => line.time <= time)
      .map((line) => `${headOf(line.time, dice.pick(1_000_000), options.stamps)}${line.text}\n`)
      .join('');
    lines = lines.filter((line) => line.time > time);
    bytes += text.length;
    return text;
  };

  for (let number = 0; number < mostAttempts && bytes < mostBytes; number += 1) {
    exactTime += dice.next() * 2 * secondsBetween;
    const time = Math.floor(exactTime);
    const attempt = { ...next(time), time };
    attempts[attempt.logged] += 1;
    options.onAttempt?.(attempt);
    const smtpd = `postfix/smtpd[${2000 + dice.pick(90)}]`;
    const micro = dice.pick(0xf4240);
    const mail = {
      queueId: queueIdOf(number, micro),
      sizeBytes: 1500 + dice.pick(90_000),
      messageId: `${time}.${micro}.${number}@${attempt.helo}`,
    };
    const told =
      attempt.logged === 'accepted'
        ? acceptedLines(attempt, smtpd, policyLines, mail)
        : deferredLines(attempt, smtpd, policyLines);
    lines.push(...told.map(([offset, text]) => ({ time: time + offset, text })));
    // The sort is stable: lines of one second stay in their order.
    lines.sort((a, b) => a.time - b.time);
    yield textUntil(time - 1);
  }
  yield textUntil(Infinity);
  return { bytes, attempts };
}

/** Bytes written at once. */
const pieceBytes = 1_048_576;

/** Writes a log to `file`. */
export function writeMailLog(file: string, options: MailLogOptions): Written {
  const descriptor = openSync(file, 'w');
  try {
    const text = mailLog(options);
    let piece = '';
    for (let step = text.next(); ; step = text.next()) {
      if (!step.done) piece += step.value;
      if (step.done || piece.length >= pieceBytes) {
        writeSync(descriptor, piece, null, 'latin1');
        piece = '';
      }
      if (step.done) return step.value;
    }
  } finally {
    closeSync(descriptor);
  }
}
