import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { KeyedAttempt } from '#src/greylist/decide.js';
import { defaultSettings, type Rules } from '#src/greylist/settings.js';
import {
  allClients,
  allEntries,
  allSorted,
  type CountsSource,
  type EntryFilter,
  type EntryOrder,
  type Store,
} from '#src/greylist/store.js';
import { foreseeMerge } from '#src/store/foresee.js';
import { MemoryStore } from '#src/store/memory.js';
import { hashed } from '#src/store/privacy.js';
import { openSqlite } from '#src/store/sqlite/client.js';
import { random } from '../support/random.js';
import { find, needs } from '../support/programs.js';
import { openRedisStore, redisServer } from '../support/redis.js';
import { temporaryFolder } from '../support/temporary.js';

async function emptyRedis(t: TestContext): Promise<Store> {
  const server = await redisServer(t);
  const store = await openRedisStore(server.port);
  t.after(() => store.close());
  return store;
}

const sources: Record<string, (t: TestContext) => Promise<Store & CountsSource>> = {
  memory: () => Promise.resolve(new MemoryStore()),
  sqlite: async (t) => {
    const store = await openSqlite(`${await temporaryFolder(t)}/greyctl.db`);
    t.after(() => store.close());
    return store;
  },
};

const stores: Record<string, (t: TestContext) => Promise<Store>> = {
  ...(find('redis-server') && find('redis-cli') && { redis: emptyRedis }),
  ...sources,
};

const hour = 3600;
const day = 24 * hour;

function keyed(
  time: number,
  sender = 'a@s',
  more: { rules?: Partial<Rules>; address?: string } = {},
): KeyedAttempt {
  return {
    time,
    triplet: { client: '192.0.2.0', sender, recipient: 'b@r' },
    address: more.address ?? '192.0.2.5',
    rules: { ...defaultSettings, ...more.rules },
  };
}

async function all<T>(list: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const one of list) found.push(one);
  return found;
}

test('there is a Redis to hold against the contract', needs('redis-server', 'redis-cli'), () => {
  assert.ok('redis' in stores);
});

for (const [name, open] of Object.entries(sources)) {
  describe(`the ${name} store, where counts can be moved from`, () => {
    test('gives the same move until it is done, and what is counted meanwhile in the next', async (t) => {
      const store = await open(t);
      assert.equal(await store.takeCounts(10), undefined);
      await store.settle([keyed(0), keyed(310)]);
      const first = await store.takeCounts(10);
      assert.ok(first);
      assert.deepEqual(
        [...first.tallies].map(({ count }) => count),
        [1, 1],
      );
      assert.deepEqual(first.delays, [{ hour: 0, seconds: 310, count: 1 }]);
      assert.deepEqual([await store.tallies(0), await store.hourlyDelays()], [[], []]);
      await store.settle([keyed(320)]);
      assert.deepEqual(await store.takeCounts(10), first);
      await store.countsMoved('another');
      assert.deepEqual(await store.takeCounts(10), first);
      await store.countsMoved(first.id);
      const second = await store.takeCounts(10);
      assert.ok(second && second.id !== first.id);
      assert.deepEqual(second.tallies, [{ hour: 0, verdict: 'pass', reason: 'triplet found', count: 1 }]);
      assert.deepEqual(second.delays, []);
      await store.countsMoved(second.id);
      assert.equal(await store.takeCounts(10), undefined);
    });

    test('gives all that was counted, in moves of any size', async (t) => {
      const [store, target] = [await open(t), new MemoryStore()];
      for (let at = 0; at < 7; at += 1)
        await store.settle([keyed(at * hour, `${at}@s`), keyed(at * hour + 310, `${at}@s`)]);
      const counted = [await store.tallies(0), await store.hourlyDelays()];
      for (let move; (move = await store.takeCounts(3));) {
        await target.addCounts(move);
        await store.countsMoved(move.id);
      }
      assert.deepEqual([await target.tallies(0), await target.hourlyDelays()], counted);
    });
  });
}

for (const [name, open] of Object.entries(stores)) {
  describe(`the ${name} store`, () => {
    test('lets each attempt of a batch see what the earlier ones wrote', async (t) => {
      const store = await open(t);
      const decisions = await store.settle([keyed(0), keyed(12), keyed(300), keyed(301)]);
      assert.deepEqual(
        decisions.map((decision) => `${decision.verdict} ${decision.reason}`),
        ['greylist new', 'greylist early-retry', 'pass triplet found', 'pass triplet found'],
      );
      assert.equal(decisions[2]?.delaySeconds, 300);
      assert.deepEqual((await store.recall(keyed(0).triplet, '192.0.2.5')).entry, {
        firstSeen: 0,
        lastSeen: 301,
        deferrals: 2,
        passedAt: 300,
        passes: 2,
      });
    });

    test('remembers from batch to batch, and the auto-whitelist', async (t) => {
      const store = await open(t);
      for (let count = 0; count < 5; count += 1) {
        await store.settle([keyed(count * hour, `s${count}@s`)]);
        await store.settle([keyed(count * hour + 300, `s${count}@s`)]);
      }
      const [decision] = await store.settle([keyed(6 * hour, 'other@s')]);
      assert.equal(decision?.reason, 'client AWL');
      assert.deepEqual((await store.recall(keyed(0).triplet, '192.0.2.5')).client, {
        count: 6,
        lastCounted: 6 * hour,
      });
      assert.equal((await store.recall(keyed(0, 'other@s').triplet, '192.0.2.6')).entry, undefined);
    });

    test('recall changes nothing and knows nothing of strangers', async (t) => {
      const store = await open(t);
      assert.deepEqual(await store.recall(keyed(0).triplet, '192.0.2.5'), {
        entry: undefined,
        client: undefined,
      });
      assert.equal((await store.info()).waiting, 0);
    });

    test('counts decisions by hour, verdict and reason', async (t) => {
      const store = await open(t);
      await store.settle([keyed(10), keyed(20), { time: 30, exemption: 'recipient whitelist' }]);
      await store.settle([keyed(30), keyed(hour + 5)]);
      const rows = (await store.tallies(0)).map((row) => Object.values(row).join(' '));
      assert.deepEqual(rows.sort(), [
        '0 greylist early-retry 2',
        '0 greylist new 1',
        '0 pass recipient whitelist 1',
        '3600 pass triplet found 1',
      ]);
      assert.equal((await store.tallies(1)).length, 1);
    });

    test('counts how long triplets had waited that passed, to two digits', async (t) => {
      const store = await open(t);
      await store.settle([keyed(0), keyed(0, 'b@s'), keyed(0, 'c@s')]);
      await store.settle([keyed(312, 'a@s'), keyed(309, 'b@s'), keyed(313, 'a@s'), keyed(4000, 'c@s')]);
      assert.deepEqual(await store.delays(0), [
        { seconds: 310, count: 2 },
        { seconds: 4000, count: 1 },
      ]);
      assert.deepEqual(await store.delays(hour), [{ seconds: 4000, count: 1 }]);
    });

    test('adds counts from elsewhere to its own, and tells delays by the hour', async (t) => {
      const store = await open(t);
      await store.settle([keyed(0), keyed(310), keyed(hour), keyed(hour, 'b@s')]);
      await store.addCounts({
        id: 'one',
        tallies: [
          { hour: 0, verdict: 'pass', reason: 'triplet found', count: 4 },
          { hour: 2 * hour, verdict: 'greylist', reason: 'new', count: 7 },
        ],
        delays: [
          { hour: 0, seconds: 310, count: 2 },
          { hour: 2 * hour, seconds: 400, count: 1 },
        ],
      });
      const counts = await store.tallies(0);
      assert.equal(counts.find((tally) => tally.hour === 0 && tally.verdict === 'pass')?.count, 5);
      assert.equal(counts.find((tally) => tally.hour === 2 * hour)?.count, 7);
      assert.deepEqual(await store.hourlyDelays(), [
        { hour: 0, seconds: 310, count: 3 },
        { hour: 2 * hour, seconds: 400, count: 1 },
      ]);
    });

    test('adds a move once, however often it comes', async (t) => {
      const store = await open(t);
      const move = (id: string) => ({
        id,
        tallies: [{ hour: 2 * hour, verdict: 'pass', reason: 'released', count: 4 } as const],
        delays: [{ hour, seconds: 310, count: 2 }],
      });
      await Promise.all([store.addCounts(move('one')), store.addCounts(move('one'))]);
      await store.addCounts(move('two'));
      await store.forgetTallies(2 * hour, 1000);
      await store.addCounts(move('one'));
      assert.deepEqual(
        (await store.tallies(0)).map(({ count }) => count),
        [8],
      );
      assert.deepEqual(await store.delays(0), []);
    });

    test('forgets the counts of hours long past, step by step, and no others', async (t) => {
      const store = await open(t);
      for (let begun = 0; begun < 5; begun += 1) {
        const time = begun * 2 * hour;
        await store.settle([
          keyed(time, `s${begun}@s`),
          keyed(time + 1, `s${begun}@s`),
          keyed(time + 400, `s${begun}@s`),
        ]);
      }
      const hours = async () => [...new Set((await store.tallies(0)).map((tally) => tally.hour / hour))];
      assert.deepEqual(await store.forgetTallies(0, 2), { removed: 0, done: true });
      let removed = 0;
      for (let isDone = false; !isDone;) {
        const step = await store.forgetTallies(4 * hour, 2);
        removed += step.removed;
        isDone = step.done;
      }
      assert.equal(removed, 8, 'three tallies and a delay of two hours');
      assert.deepEqual(await hours(), [4, 6, 8]);
      assert.deepEqual(await store.delays(0), [{ seconds: 400, count: 3 }]);
    });

    test('tells who waits: the largest groups, and how many came lately', async (t) => {
      const store = await open(t);
      const waiting = (sender: string, recipient: string, client: string, time = 0) => ({
        ...keyed(time),
        triplet: { client, sender, recipient },
      });
      await store.settle([
        waiting('a@x.example', 'bob@r', '192.0.2.0'),
        waiting('b@x.example', 'bob@r', '192.0.2.0', 50),
        waiting('', 'bob@r', '198.51.100.0'),
        waiting('c@y.example', 'eve@r', '198.51.100.0', 60),
        waiting('gone@z.example', 'eve@r', '203.0.113.0'),
        waiting('gone@z.example', 'eve@r', '203.0.113.0', 300),
      ]);
      assert.deepEqual(await store.waiting({ firstSeenSince: 50, limit: 2 }), {
        firstSeenSince: 2,
        senderDomains: [
          { name: 'x.example', count: 2 },
          { name: '', count: 1 },
        ],
        clients: [
          { name: '192.0.2.0', count: 2 },
          { name: '198.51.100.0', count: 2 },
        ],
        recipients: [
          { name: 'bob@r', count: 3 },
          { name: 'eve@r', count: 1 },
        ],
      });
      const nobody = { firstSeenSince: 0, senderDomains: [], clients: [], recipients: [] };
      assert.deepEqual(await store.waiting({ firstSeenSince: 61, limit: 0 }), nobody);
    });

    test('lists entries once, page by page, with filters', async (t) => {
      const store = await open(t);
      const { pick, seed } = random();
      const words = ['', 'a', 'B', 'ä', '\u{1f600}', '\uffff', 'a/b', "'", '%'];
      const triplets = new Map<string, KeyedAttempt>();
      for (let count = 0; count < 100; count += 1) {
        const word = () => (words[pick(words.length)] ?? '') + String(pick(3));
        const triplet = { client: word(), sender: word(), recipient: word() };
        triplets.set(JSON.stringify(triplet), { ...keyed(0), triplet });
      }
      await store.settle([...triplets.values()]);
      const seen: string[] = [];
      for await (const entry of allEntries(store, {}, 7)) seen.push(JSON.stringify(entry.triplet));
      assert.equal(seen.length, triplets.size, `seed ${seed}`);
      assert.deepEqual([...seen].sort(), [...triplets.keys()].sort());
      const one = [...triplets.values()][0]?.triplet;
      assert.ok(one);
      const { found } = await store.entries(one, 10);
      assert.deepEqual(
        found.map((entry) => entry.triplet),
        [one],
      );
      assert.equal((await store.entries({ state: 'passed' }, 10)).found.length, 0);
      assert.equal((await store.entries({ state: 'waiting' }, 1000)).found.length, triplets.size);
    });

    test('purges what the rules have forgotten, and nothing else', async (t) => {
      const store = await open(t);
      await store.settle([keyed(0, 'passed@s', { rules: { delaySeconds: 0 } }), keyed(0, 'waiting@s')]);
      await store.settle([keyed(day, 'young@s'), keyed(day + 300, 'young@s')]);
      const purge = async (now: number) => {
        let removed = 0;
        for (;;) {
          const step = await store.purge(now, defaultSettings, 2);
          removed += step.removed;
          if (step.done) return removed;
        }
      };
      assert.equal(await purge(2 * day), 0);
      assert.equal(await purge(2 * day + 1), 1);
      assert.equal(await purge(35 * day + 1), 1);
      assert.deepEqual(
        (await store.entries({}, 10)).found.map((entry) => entry.triplet.sender),
        ['young@s'],
      );
      assert.equal(await purge(40 * day), 2, 'the entry and the client it counted for');
      assert.equal((await store.info()).clients, 0);
    });

    test('takes over what is known from elsewhere, and doing it twice changes nothing', async (t) => {
      const store = await open(t);
      await store.settle([keyed(100), keyed(110)]);
      const { triplet } = keyed(0);
      const other = { client: '198.51.100.0', sender: '', recipient: 'x@y' };
      const entries = [
        { triplet, firstSeen: 50, lastSeen: 105, deferrals: 1, passedAt: 105, passes: 3 },
        { triplet: other, firstSeen: 1, lastSeen: 2, deferrals: 1, passes: 0 },
      ];
      const clients = [{ address: '192.0.2.5', count: 4, lastCounted: 90 }];
      for (const merged of [
        { added: 2, changed: 1 },
        { added: 0, changed: 0 },
      ]) {
        assert.deepEqual(await foreseeMerge(store, entries, clients), merged);
        assert.deepEqual(await store.merge(entries, clients), merged);
      }
      assert.deepEqual((await store.recall(triplet, '192.0.2.5')).entry, {
        firstSeen: 50,
        lastSeen: 110,
        deferrals: 2,
        passedAt: 105,
        passes: 3,
      });
      await store.merge(
        [],
        [
          { address: '192.0.2.5', count: 2, lastCounted: 99 },
          { address: '192.0.2.6', count: 1, lastCounted: 1 },
        ],
      );
      const inOrder = (a: { address: string }, b: { address: string }) => (a.address < b.address ? -1 : 1);
      assert.deepEqual((await all(allClients(store, 1))).sort(inOrder), [
        { address: '192.0.2.5', count: 4, lastCounted: 99 },
        { address: '192.0.2.6', count: 1, lastCounted: 1 },
      ]);
    });

    test('keeps whitelist entries, their hits and a revision that tells of every change', async (t) => {
      const store = await open(t);
      const revisions = [await store.listedRevision()];
      const entry = { kind: 'client', pattern: 'example.org', comment: 'friends', addedAt: 5 } as const;
      assert.equal(await store.addListed(entry), true);
      revisions.push(await store.listedRevision());
      assert.equal(await store.addListed({ ...entry, comment: 'good friends', expiresAt: 99 }), false);
      revisions.push(await store.listedRevision());
      assert.equal(await store.addListed({ ...entry, kind: 'sender' }), true);
      revisions.push(await store.listedRevision());
      const [first] = await store.listed();
      assert.ok(first);
      await store.settle([{ time: 7, exemption: 'client whitelist', listedId: first.id }]);
      assert.equal(await store.listedRevision(), revisions.at(-1));
      assert.deepEqual((await store.listed())[0], {
        ...entry,
        id: first.id,
        comment: 'good friends',
        expiresAt: 99,
        hits: 1,
        lastHit: 7,
      });
      assert.equal(await store.removeListed('client', 'example.com'), false);
      assert.equal(await store.removeListed('client', 'example.org'), true);
      revisions.push(await store.listedRevision());
      assert.equal(new Set(revisions).size, revisions.length);
      assert.deepEqual(
        (await store.listed()).map((listed) => listed.kind),
        ['sender'],
      );
    });

    test('tells what it holds', async (t) => {
      const store = await open(t);
      await store.settle([keyed(10), keyed(400), keyed(20, 'b@s')]);
      const info = await store.info();
      assert.deepEqual(
        [
          info.engine,
          info.waiting,
          info.passed,
          info.clients,
          info.listed,
          info.oldestFirstSeen,
          info.newestLastSeen,
        ],
        [name, 1, 1, 1, 0, 10, 400],
      );
    });

    test('filters by mail domain and by when they were last seen', async (t) => {
      const store = await open(t);
      await store.settle([
        keyed(10, 'a@s'),
        keyed(20, 'b@sub.s'),
        keyed(30, 'c@xs'),
        keyed(40, 's'),
        keyed(50, ''),
      ]);
      const senders = async (filter: EntryFilter) =>
        (await store.entries(filter, 10)).found.map((entry) => entry.triplet.sender).sort();
      assert.deepEqual(await senders({ domain: 's' }), ['a@s', 'b@sub.s']);
      assert.deepEqual(await senders({ domain: 'sub.s' }), ['b@sub.s']);
      assert.equal((await senders({ domain: 'r' })).length, 5);
      assert.deepEqual(await senders({ lastSeenFrom: 20, lastSeenBefore: 40 }), ['b@sub.s', 'c@xs']);
    });

    test('sorts by any field, both ways, page by page, in the order of the beginning', async (t) => {
      const store = await open(t);
      await store.settle([
        keyed(30, 'a@s'),
        keyed(10, 'b@s'),
        keyed(11, 'b@s'),
        keyed(20, 'c@s'),
        keyed(20, 'd@s'),
      ]);
      const senders = async (order: EntryOrder) =>
        (await all(allSorted(store, {}, order, 2))).map((entry) => entry.triplet.sender[0]).join('');
      assert.equal(await senders({ isReversed: false }), 'abcd');
      assert.equal(await senders({ isReversed: true }), 'dcba');
      assert.equal(await senders({ by: 'firstSeen', isReversed: false }), 'bcda');
      assert.equal(await senders({ by: 'lastSeen', isReversed: true }), 'acdb');
      assert.equal(await senders({ by: 'deferrals', isReversed: true }), 'bacd');
      const order = { by: 'passes', isReversed: false } as const;
      assert.equal((await store.sorted({ sender: 'a@s' }, order, 2, 0)).length, 1);
      assert.equal((await store.sorted({}, order, 2, 0)).length, 2);
      await store.settle([keyed(5, 'e@s')]);
      assert.deepEqual(
        (await store.sorted({}, order, 5, 2)).map((entry) => entry.triplet.sender),
        ['c@s', 'd@s'],
      );
    });

    test('removes by key, and keeps what was used since it was read', async (t) => {
      const store = await open(t);
      const one = keyed(0).triplet;
      await store.settle([keyed(0), keyed(310), keyed(0, 'b@s')]);
      const [client] = (await store.clients(5)).found;
      assert.ok(client);
      assert.equal(await store.remove([{ triplet: one, lastSeen: 1 }], [{ ...client, lastCounted: 1 }]), 0);
      const entries = (await store.entries({}, 5)).found;
      assert.equal(await store.remove([...entries, ...entries], [client, client]), 3);
      assert.equal(await store.remove([{ triplet: one }], []), 0);
      assert.equal((await store.info()).clients, 0);
      await store.settle([keyed(0), keyed(310)]);
      assert.equal(await store.forgetClient('192.0.2.5'), true);
      assert.equal(await store.forgetClient('192.0.2.5'), false);
    });

    test('a released triplet passes at its next attempt, told apart and not counted for the auto-whitelist', async (t) => {
      const store = await open(t);
      await store.settle([keyed(0), keyed(0, 'b@s'), keyed(0, 'p@s', { rules: { delaySeconds: 0 } })]);
      const triplets = ['a@s', 'p@s', 'stranger@s'].map((sender) => keyed(0, sender).triplet);
      assert.equal(await store.release(triplets, 5), 1);
      assert.equal(await store.release(triplets, 6), 0);
      const decisions = await store.settle([keyed(10), keyed(10, 'b@s'), keyed(11)]);
      assert.deepEqual(
        decisions.map(({ verdict, reason, delaySeconds }) => [verdict, reason, delaySeconds]),
        [
          ['pass', 'released', 10],
          ['greylist', 'early-retry', undefined],
          ['pass', 'triplet found', undefined],
        ],
      );
      assert.deepEqual(await store.recall(keyed(0).triplet, '192.0.2.5'), {
        entry: { firstSeen: 0, lastSeen: 11, deferrals: 1, passedAt: 10, passes: 2, releasedAt: 5 },
        client: undefined,
      });
      assert.equal((await store.tallies(0)).find((tally) => tally.reason === 'released')?.count, 1);
    });

    test('while a window is open all mail to its recipient passes', async (t) => {
      const store = await open(t);
      await store.openWindow('b@r', 50);
      await store.openWindow('b@r', 100);
      await store.openWindow('other@r', 60);
      assert.deepEqual(await store.windows(), [
        { recipient: 'b@r', until: 100 },
        { recipient: 'other@r', until: 60 },
      ]);
      const decisions = await store.settle([keyed(99), keyed(100, 'b@s')]);
      assert.deepEqual(
        decisions.map(({ reason }) => reason),
        ['released', 'new'],
      );
      assert.equal((await store.recall(keyed(0).triplet, '')).openUntil, 100);
      assert.equal((await store.purge(60, defaultSettings, 10)).removed, 1);
      assert.equal(await store.closeWindow('b@r'), true);
      assert.equal(await store.closeWindow('b@r'), false);
      assert.deepEqual(await store.windows(), []);
    });

    test('takes over whitelist entries and windows, and doing it twice changes nothing', async (t) => {
      const store = await open(t);
      const entry = {
        kind: 'client',
        pattern: 'example.org',
        comment: 'x',
        addedAt: 5,
        hits: 2,
        lastHit: 9,
      } as const;
      await store.addListed({
        kind: 'client',
        pattern: 'example.org',
        comment: '',
        addedAt: 7,
        expiresAt: 8,
      });
      const revision = await store.listedRevision();
      const more = {
        listed: [entry, { ...entry, kind: 'sender', expiresAt: 99 } as const],
        windows: [{ recipient: 'b@r', until: 100 }],
        tallies: [{ hour: 3600, verdict: 'pass', reason: 'released', count: 4 } as const],
        delays: [{ hour: 3600, seconds: 310, count: 2 }],
      };
      assert.deepEqual(await store.merge([], [], more), { added: 2, changed: 1 });
      assert.notEqual(await store.listedRevision(), revision);
      assert.deepEqual(await store.merge([], [], more), { added: 0, changed: 0 });
      assert.deepEqual(
        (await store.listed()).map(({ id, ...rest }) => ({ ...rest, known: id > 0 })),
        more.listed.map((listed) => ({ ...listed, known: true })),
      );
      assert.deepEqual(await store.windows(), more.windows);
    });

    test('takes over counts, of two of one hour the larger', async (t) => {
      const store = await open(t);
      const merge = (count: number) =>
        store.merge([], [], {
          listed: [],
          windows: [],
          tallies: [{ hour: 3600, verdict: 'pass', reason: 'released', count }],
          delays: [{ hour: 3600, seconds: 310, count }],
        });
      for (const count of [4, 4, 3]) await merge(count);
      assert.deepEqual(await store.tallies(0), [
        { hour: 3600, verdict: 'pass', reason: 'released', count: 4 },
      ]);
      assert.deepEqual(await store.delays(0), [{ seconds: 310, count: 4 }]);
      await merge(5);
      assert.equal((await store.tallies(0))[0]?.count, 5);
      assert.deepEqual(await store.delays(3601), []);
    });

    test('takes over the same from several at once, as if from one', async (t) => {
      const store = await open(t);
      const count = (hits: number) => ({
        listed: [{ kind: 'client', pattern: 'x.org', comment: '', addedAt: 5, hits, lastHit: hits }] as const,
        windows: [{ recipient: 'b@r', until: 100 * hits }],
        tallies: [{ hour, verdict: 'pass', reason: 'released', count: hits } as const],
        delays: [{ hour, seconds: 310, count: hits }],
      });
      const orders = [
        [9, 2, 9, 4],
        [4, 9, 2, 9],
        [2, 4, 9, 4],
      ];
      await Promise.all(orders.flat().map((hits) => store.merge([], [], count(hits))));
      const [listed, ...others] = await store.listed();
      assert.deepEqual([listed?.hits, listed?.lastHit, others.length], [9, 9, 0]);
      assert.deepEqual(await store.windows(), count(9).windows);
      assert.deepEqual(await store.tallies(0), count(9).tallies);
      assert.deepEqual(await store.delays(0), [{ seconds: 310, count: 9 }]);
    });

    test('releases, opens windows and forgets by exact address behind hashed keys', async (t) => {
      const plain = await open(t);
      const store = hashed(plain, Buffer.alloc(32, 7));
      await store.settle([keyed(0), keyed(0, 'b@s'), keyed(300, 'b@s')]);
      const { found } = await store.entries({ sender: 'a@s' }, 5);
      assert.equal(
        await store.release(
          found.map(({ triplet }) => triplet),
          5,
        ),
        1,
      );
      assert.equal((await store.settle([keyed(10)]))[0]?.reason, 'released');
      await store.openWindow('b@r', 50);
      assert.match((await plain.windows())[0]?.recipient ?? '', /^[0-9a-f]{32}$/);
      assert.equal((await store.settle([keyed(10, 'new@s')]))[0]?.reason, 'released');
      assert.equal(await store.forgetClient('192.0.2.5'), true);
      assert.equal(await store.remove((await store.entries({ recipient: 'b@r' }, 5)).found, []), 3);
    });

    test('decides the same behind hashed keys, and holds no address in clear', async (t) => {
      const plain = await open(t);
      const store = hashed(plain, Buffer.alloc(32, 7));
      const decisions = await store.settle([keyed(0), keyed(300), { time: 1, exemption: 'authenticated' }]);
      assert.deepEqual(
        decisions.map((decision) => decision.reason),
        ['new', 'triplet found', 'authenticated'],
      );
      assert.equal((await store.recall(keyed(0).triplet, '192.0.2.5')).entry?.passes, 1);
      assert.equal((await store.recall(keyed(0).triplet, '192.0.2.5')).client?.count, 1);
      assert.equal((await store.entries({ recipient: 'b@r' }, 5)).found.length, 1);
      const [stored] = (await plain.entries({}, 5)).found;
      assert.ok(stored);
      for (const word of [stored.triplet.client, stored.triplet.sender, stored.triplet.recipient])
        assert.match(word, /^[0-9a-f]{32}$/);
      const other = hashed(plain, Buffer.alloc(32, 8));
      assert.equal((await other.recall(keyed(0).triplet, '192.0.2.5')).entry, undefined);
    });
  });
}
