/** Rehearsals for tests: attempts of a made-up log, and a replay that takes them. */
import assert from 'node:assert/strict';
import { parseAddress } from '#src/greylist/address.js';
import { defaultSettings, type Settings } from '#src/greylist/settings.js';
import type { Logged, LoggedAttempt } from '#src/maillog/attempts.js';
import { registrableDomain } from '#src/names/domain.js';
import { createReplay, type ReplayOptions } from '#src/simulate/replay.js';

/** 2026-03-01 00:00 UTC: when the made-up logs begin. */
export const logStart = Date.UTC(2026, 2, 1) / 1000;

export interface AttemptParts {
  /** Seconds after the beginning of the log. */
  readonly at?: number;
  readonly client?: string;
  readonly name?: string;
  readonly sender?: string;
  readonly recipient?: string;
  readonly logged?: Logged;
}

/** One attempt of a log: bob@example.org gets mail from 192.0.2.5, greylisted, unless said otherwise. */
export function attemptOf(parts: AttemptParts = {}): LoggedAttempt {
  const client = parts.client ?? '192.0.2.5';
  return {
    attempt: {
      time: logStart + (parts.at ?? 0),
      client: parseAddress(client) ?? assert.fail(client),
      clientName: parts.name ?? 'unknown',
      sender: parts.sender ?? 'alice@example.com',
      recipient: parts.recipient ?? 'bob@example.org',
    },
    logged: parts.logged ?? 'greylisted',
  };
}

/** A replay without whitelists, under the default settings but for `settings`; assumed retries come after 900 s. */
export function replayOf(settings: Partial<Settings> = {}, options: Partial<ReplayOptions> = {}) {
  return createReplay({
    settings: { ...defaultSettings, ...settings },
    assumedRetrySeconds: 900,
    countFrom: -Infinity,
    match: () => undefined,
    domainOf: registrableDomain,
    ...options,
  });
}
