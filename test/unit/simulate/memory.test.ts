import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Entry } from '#src/greylist/decide.js';
import { defaultSettings } from '#src/greylist/settings.js';
import { tripletText, type Triplet } from '#src/greylist/triplet.js';
import { createReplayMemory } from '#src/simulate/memory.js';
import { keyOf } from '#src/simulate/key.js';
import { createRows } from '#src/simulate/rows.js';
import { random } from '../../support/random.js';

const triplet = (number: number, client = '192.0.2.0'): Triplet => ({
  client,
  sender: `sender${number}@example.com`,
  recipient: 'bob@example.org',
});

test('rows behave as a map from triplets to numbers does', () => {
  const { pick, seed } = random();
  const rows = createRows(2);
  let expected = new Map<string, number>();
  for (let step = 0; step < 30_000; step += 1) {
    const one = triplet(pick(6000), pick(2) === 0 ? '192.0.2.0' : '2001:db8:0:0:0:0:0:0');
    const text = tripletText(one);
    const key = keyOf(one.client, one.sender, one.recipient);
    const known = rows.find(key);
    assert.equal(known < 0 ? undefined : rows.get(known, 1), expected.get(text), `seed ${seed}`);
    const row = known < 0 ? rows.add(key) : known;
    assert.ok(known >= 0 || Number.isNaN(rows.get(row, 0)));
    rows.set(row, 1, step);
    expected.set(text, step);
    if (step % 10_000 === 9999) {
      const isKept = (value: number) => value % 3 !== 0;
      rows.keepOnly(
        (kept) => isKept(rows.get(kept, 1)),
        (from, to) => {
          assert.ok(to <= from);
        },
      );
      expected = new Map([...expected].filter(([, value]) => isKept(value)));
    }
    assert.equal(rows.count, expected.size);
  }
});

test('fields that join to the same text are different triplets', () => {
  const rows = createRows(1);
  rows.add(keyOf('ab', 'c', ''));
  for (const [client, sender, recipient] of [
    ['a', 'bc', ''],
    ['ab', '', 'c'],
    ['', 'ab', 'c'],
    ['abc', '', ''],
  ] as const)
    assert.equal(rows.find(keyOf(client, sender, recipient)), -1);
});

test('half a million triplets that hardly differ are told apart', () => {
  const rows = createRows(1);
  for (let number = 0; number < 500_000; number += 1) {
    const key = keyOf(`10.${number & 255}.${number % 7}.0`, `sender${number}@example.com`, 'bob@example.org');
    assert.equal(rows.find(key), -1, `${number} is taken for another`);
    rows.add(key);
  }
});

function memoryWith(reports: string[] = []) {
  return createReplayMemory(
    { ...defaultSettings, retryWindowSeconds: 3600 },
    (client, { deferrals }, label) => {
      reports.push(`${client} ${deferrals} ${label ?? '-'}`);
    },
  );
}

test('an entry comes back as it was kept', () => {
  const memory = memoryWith();
  for (const entry of [
    { firstSeen: 5, lastSeen: 9, deferrals: 2, passedAt: 8, passes: 1, releasedAt: 7 },
    { firstSeen: 5, lastSeen: 5, deferrals: 1, passes: 0 },
  ] satisfies Entry[]) {
    memory.keep(triplet(1), '192.0.2.1', {}, { entry });
    const found = memory.recall(triplet(1), '192.0.2.1', 9).entry;
    assert.deepEqual({ passedAt: undefined, releasedAt: undefined, ...entry }, found);
  }
});

test('tidying forgets with report and label, and leaves the labels of the others with them', () => {
  const reports: string[] = [];
  const memory = memoryWith(reports);
  const entryAt = (time: number): Entry => ({ firstSeen: time, lastSeen: time, deferrals: 1, passes: 0 });
  for (let number = 0; number < 20_000; number += 1) {
    const time = number < 19_998 ? 0 : 3000;
    memory.keep(triplet(number, `net${number}`), '', {}, { entry: entryAt(time) }, `label${number}`);
  }
  memory.tidy(5000);
  assert.equal(memory.size, 2);
  assert.equal(reports.length, 19_998);
  assert.equal(reports[7], 'net7 1 label7');
  memory.excuse(triplet(19_998, 'net19998'));
  memory.finish();
  assert.deepEqual(reports.slice(19_998), ['net19999 1 label19999']);
});

test('the time of a deferral is remembered for a while, whatever becomes of the entry', () => {
  const memory = memoryWith();
  assert.equal(memory.noteDeferral(triplet(0), 100), undefined);
  assert.equal(memory.noteDeferral(triplet(0), 200), 100);
  for (let number = 1; number < 60_000; number += 1) memory.noteDeferral(triplet(number), 300);
  memory.tidy(1_000_000);
  assert.equal(memory.noteDeferral(triplet(0), undefined), 200);
  assert.equal(memory.noteDeferral(triplet(0), undefined), undefined);
  for (let number = 60_000; number < 160_000; number += 1) memory.noteDeferral(triplet(number), 300);
  assert.equal(memory.noteDeferral(triplet(1), undefined), undefined);
});

test('a client at its limit has what a server would have removed taken out of its way, the others stay', () => {
  const memory = createReplayMemory(
    { ...defaultSettings, retryWindowSeconds: 3600, maxWaitingPerClient: 10 },
    () => undefined,
  );
  const entry: Entry = { firstSeen: 0, lastSeen: 0, deferrals: 1, passes: 0 };
  const waitingAt = (time: number, client: string) => {
    memory.tidy(time);
    return memory.recall(triplet(-1, client), '', time).waiting;
  };
  waitingAt(0, 'crowded');
  for (let number = 0; number < 10; number += 1) {
    memory.keep(triplet(number, 'crowded'), '', {}, { entry });
    memory.keep(triplet(number, `net${number}`), '', {}, { entry });
  }
  assert.deepEqual(waitingAt(3600, 'crowded'), { all: 20, ofClient: 10 }, 'they wait still');
  assert.deepEqual(
    waitingAt(5000, 'net1'),
    { all: 20, ofClient: 1 },
    'nobody is held back: no need to walk through all',
  );
  assert.equal(waitingAt(7200, 'crowded'), undefined, 'nothing waits any more');
});
