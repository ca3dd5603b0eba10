import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Decision, PreparedAttempt } from '#src/greylist/decide.js';
import { createThrottle } from '#src/server/log.js';
import { createSettler } from '#src/server/settler.js';

const pass: Decision = { verdict: 'pass', reason: 'recipient whitelist', waitSeconds: 0 };
const attempt = (time: number): PreparedAttempt => ({ time, exemption: 'recipient whitelist' });

/** A store whose batches are answered by hand. */
function handStore() {
  const batches: {
    attempts: readonly PreparedAttempt[];
    resolve: () => void;
    reject: (why: Error) => void;
  }[] = [];
  const arrivals: (() => void)[] = [];
  return {
    batches,
    settle: (attempts: readonly PreparedAttempt[]) =>
      new Promise<Decision[]>((resolve, reject) => {
        batches.push({
          attempts,
          resolve: () => {
            resolve(attempts.map(() => pass));
          },
          reject,
        });
        arrivals.shift()?.();
      }),
    nextBatch: () => new Promise<void>((resolve) => arrivals.push(resolve)),
  };
}

test('attempts of one turn are one batch, and those that come while it is written are the next', async () => {
  const store = handStore();
  const settler = createSettler(store, () => undefined);
  const arrived = store.nextBatch();
  const first = [settler.settle(attempt(1)), settler.settle(attempt(2))];
  await arrived;
  const second = [settler.settle(attempt(3)), settler.settle(attempt(4)), settler.settle(attempt(5))];
  const next = store.nextBatch();
  store.batches[0]?.resolve();
  await Promise.all(first);
  await next;
  store.batches[1]?.resolve();
  await Promise.all(second);
  assert.deepEqual(
    store.batches.map((batch) => batch.attempts.map(({ time }) => time)),
    [
      [1, 2],
      [3, 4, 5],
    ],
  );
});

test('when the store fails mail passes, it is said, and the store is told how many when it works again', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const store = handStore();
  const warnings: string[] = [];
  const settler = createSettler(store, (_, line) => warnings.push(line));
  let arrived = store.nextBatch();
  const failing = settler.settle(attempt(7));
  await arrived;
  store.batches[0]?.reject(new Error('disk on fire'));
  assert.equal((await failing).reason, 'store unavailable');
  assert.equal((await settler.settle(attempt(8))).reason, 'store unavailable', 'not tried again at once');
  assert.deepEqual(warnings, ['greylisting is suspended, mail passes: disk on fire']);
  t.mock.timers.tick(1000);
  arrived = store.nextBatch();
  const recovered = settler.settle(attempt(9));
  await arrived;
  const second = store.batches[1] ?? assert.fail();
  assert.deepEqual(second.attempts, [{ time: 7, exemption: 'store unavailable', count: 2 }, attempt(9)]);
  second.resolve();
  assert.equal((await recovered).reason, 'recipient whitelist');
  assert.equal(warnings.at(-1), 'the database is back: 2 attempts passed meanwhile');
});

test('a store that hangs is waited for one second, and not again while it hangs', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const store = handStore();
  const settler = createSettler(store, () => undefined);
  const arrived = store.nextBatch();
  const waiting = settler.settle(attempt(1));
  await arrived;
  const queued = settler.settle(attempt(2));
  t.mock.timers.tick(1000);
  assert.equal((await waiting).reason, 'store unavailable');
  assert.equal((await queued).reason, 'store unavailable');
  t.mock.timers.tick(60_000);
  assert.equal((await settler.settle(attempt(3))).reason, 'store unavailable');
  assert.equal(store.batches.length, 1);
});

test('a warning of one kind is said once a minute, with the number of those left out', () => {
  let now = 0;
  const lines: string[] = [];
  const warn = createThrottle(
    (_, line) => lines.push(line),
    () => now,
  );
  warn('a', 'one');
  warn('a', 'two');
  warn('b', 'other');
  warn('a', 'three');
  now = 60;
  warn('a', 'four');
  now = -1000;
  warn('a', 'the clock was set back');
  assert.deepEqual(lines, ['one', 'other', 'four (and 2 more like it)', 'the clock was set back']);
});
