import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { addressText } from '#src/greylist/address.js';
import type { ToldAttempt } from '#src/maillog/attempts.js';
import { createJoiner, type JoinOptions } from '#src/maillog/join.js';
import { readAttempts, type ReadOptions } from '#src/maillog/read.js';
import { createStampReader } from '#src/maillog/timestamps.js';
import { repositoryRoot } from './greyctl.js';

/** 2026-11-22 00:00 UTC, a few hours after the laboratory's log was written. */
export const now = Date.UTC(2026, 10, 22) / 1000;

/** Local time that is UTC, so that no test depends on the machine's zone. */
export const utc = (year: number, month: number, day: number, hour: number) =>
  Date.UTC(year, month, day, hour) / 1000;

const folder = process.env['GREYCTL_MAILLOG_DIR'] ?? path.resolve(repositoryRoot, '../shared/maillog');

/** A file of the laboratory's log material. */
export function labFile(name: string): string {
  return path.join(folder, 'lab', name);
}

/** A test on the laboratory's log material, which is no part of the project: where it is missing there is no such test. */
export function labTest(name: string, body: (t: TestContext) => Promise<void>): void {
  if (existsSync(labFile('truth.json'))) void test(name, body);
}

/** One RCPT command of the laboratory's clients. */
export interface Rcpt {
  readonly src: string;
  readonly frm: string;
  readonly rcpt?: string;
  readonly code?: number;
  readonly text?: string;
  readonly tag: string;
}

/** What the laboratory's clients were told. */
export function truth(): Rcpt[] {
  // The file is part of the material, in the form its README describes.
  return JSON.parse(readFileSync(labFile('truth.json'), 'utf8')) as Rcpt[];
}

/** The RCPT commands that reached the policy check: all but those that other restrictions decided before. */
export function policed(): Rcpt[] {
  const before = new Set(['relay', 'unknownuser', 'rbl', 'nonfqdn', 'discard', 'mynetworks']);
  return truth().filter(({ tag, rcpt, code, text }) => {
    const isAnswered = rcpt !== undefined && code !== undefined;
    return isAnswered && !before.has(tag) && !(text?.startsWith('4.3.5') ?? false);
  });
}

/** Attempts in words: `time client sender recipient logged evidence`, for comparing. */
export function told({ attempt, logged, evidence, policyReason }: ToldAttempt): string {
  const client = `${attempt.clientName}[${addressText(attempt.client)}]`;
  const why = policyReason === undefined ? '' : ` (${policyReason})`;
  return `${client} <${attempt.sender}> <${attempt.recipient}> ${logged} by ${evidence}${why}`;
}

/** Joins lines that are stamped in UTC; those without a stamp get one, a second after the line before. */
export function join(lines: readonly string[], options: JoinOptions = {}) {
  const joiner = createJoiner(options);
  const stamps = createStampReader({ writtenAt: now, localTime: utc });
  const attempts: ToldAttempt[] = [];
  lines.forEach((given, index) => {
    const stamp = new Date((now - 10_000 + index) * 1000).toISOString();
    const line = Buffer.from(/^\d{4}-/.test(given) ? given : `${stamp} mx ${given}`).toString('latin1');
    const at = stamps.read(line, 0);
    joiner.push(line, at, stamps.time ?? assert.fail(given));
    attempts.push(...joiner.take());
  });
  joiner.finish();
  attempts.push(...joiner.take());
  return { attempts, told: attempts.map(told), counts: joiner.counts };
}

/** Reads sources to the end. */
export async function readAll(names: readonly string[], options: Partial<ReadOptions> = {}) {
  const reading = readAttempts(names, { now, localTime: utc, ...options });
  const attempts: ToldAttempt[] = [];
  for await (const batch of reading.batches) attempts.push(...batch);
  return { attempts, counts: reading.counts, problems: reading.problems };
}
