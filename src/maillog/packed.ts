/** Attempts as few large things, which pass from thread to thread at a small part of what as many objects cost. */
import type { Attempt } from '../greylist/attempt.js';
import type { LoggedAttempt } from './attempts.js';

/** What a rehearsal needs of attempts, column by column. */
export interface PackedAttempts {
  readonly times: Float64Array;
  /** 4 or 6. */
  readonly families: Uint8Array;
  /** 16 bytes each, of which IPv4 uses the first four. */
  readonly addresses: Uint8Array;
  /** 1 where the log says that it was accepted. */
  readonly accepted: Uint8Array;
  /** Client name, sender and recipient of each. */
  readonly texts: readonly string[];
}

/** Queue ids, and whose lines tell an attempt, are left out. */
export function pack(batch: readonly LoggedAttempt[]): PackedAttempts {
  const times = new Float64Array(batch.length);
  const families = new Uint8Array(batch.length);
  const addresses = new Uint8Array(16 * batch.length);
  const accepted = new Uint8Array(batch.length);
  const texts: string[] = [];
  let index = 0;
  for (const { attempt, logged } of batch) {
    times[index] = attempt.time;
    families[index] = attempt.client.family;
    addresses.set(attempt.client.bytes, 16 * index);
    accepted[index] = logged === 'accepted' ? 1 : 0;
    texts.push(attempt.clientName, attempt.sender, attempt.recipient);
    index += 1;
  }
  return { times, families, addresses, accepted, texts };
}

function clientAt({ families, addresses }: PackedAttempts, index: number): Attempt['client'] {
  const at = 16 * index;
  if (families[index] === 6) return { family: 6, bytes: Array.from(addresses.subarray(at, at + 16)) };
  const [one = 0, two = 0] = [addresses[at], addresses[at + 1]];
  return { family: 4, bytes: [one, two, addresses[at + 2] ?? 0, addresses[at + 3] ?? 0] };
}

/** The attempts that were packed. */
export function unpack(packed: PackedAttempts): LoggedAttempt[] {
  const { times, accepted, texts } = packed;
  const batch: LoggedAttempt[] = [];
  for (let index = 0; index < times.length; index += 1) {
    const attempt = {
      time: times[index] ?? 0,
      client: clientAt(packed, index),
      clientName: texts[3 * index] ?? '',
      sender: texts[3 * index + 1] ?? '',
      recipient: texts[3 * index + 2] ?? '',
    };
    batch.push({ attempt, logged: accepted[index] === 1 ? 'accepted' : 'greylisted' });
  }
  return batch;
}
