/** A shared store that goes away again while it is told what was learned without it. */
import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import type { PreparedAttempt } from '#src/greylist/decide.js';
import { defaultSettings } from '#src/greylist/settings.js';
import { withFallback } from '#src/store/fallback.js';
import { MemoryStore } from '#src/store/memory.js';

function attempt(sender: string, time: number) {
  const triplet = { client: '192.0.2.0', sender, recipient: 'b@r' };
  return { time, triplet, address: '192.0.2.5', rules: { ...defaultSettings, awlClients: 0 } };
}

/** A shared store that may be away, and can be held up where entries are merged into it. */
class Fragile extends MemoryStore {
  isUp = false;
  probes = 0;
  merges = 0;
  /** The number of the merge that waits for `goOn`. */
  held = 0;
  goOn: () => void = () => undefined;

  #check(): void {
    if (!this.isUp) throw new Error('it is away');
  }

  override async listedRevision() {
    this.probes += 1;
    this.#check();
    return super.listedRevision();
  }

  override async settle(attempts: readonly PreparedAttempt[]) {
    this.#check();
    return super.settle(attempts);
  }

  override async merge(...learned: Parameters<MemoryStore['merge']>) {
    this.merges += 1;
    if (this.merges === this.held) await new Promise<void>((resolve) => (this.goOn = resolve));
    return super.merge(...learned);
  }
}

/** Two triplets have passed without the shared store; that is back, and goes away again while it is given them for good. */
async function goneAgain(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const shared = new Fragile();
  const local = new MemoryStore();
  const events: string[] = [];
  const store = await withFallback(shared, local, {
    away: (reason) => events.push(reason),
    back: (entries) => events.push(`back with ${entries}`),
  });
  const reasonsAt = async (time: number) =>
    (await store.settle([attempt('a@s', time), attempt('b@s', time)])).map(({ reason }) => reason);
  assert.deepEqual(await reasonsAt(0), ['new', 'new']);
  assert.deepEqual(await reasonsAt(300), ['triplet found', 'triplet found']);
  // The first merge is the copy that is kept.
  Object.assign(shared, { isUp: true, held: 2 });
  t.mock.timers.tick(1000);
  await setImmediate();
  assert.deepEqual([shared.merges, shared.probes], [2, 2]);
  shared.isUp = false;
  assert.deepEqual(
    (await store.settle([attempt('a@s', 400)])).map(({ reason }) => reason),
    ['triplet found'],
  );
  return { store, shared, events, reasonsAt };
}

test('who has passed in an outage stays passed when the next comes before all is merged', async (t) => {
  const { shared, events, reasonsAt } = await goneAgain(t);
  shared.goOn();
  await setImmediate();
  assert.deepEqual(await reasonsAt(500), ['triplet found', 'triplet found']);
  assert.deepEqual(events, ['it is away', 'it is away']);
  shared.isUp = true;
  t.mock.timers.tick(1000);
  await setImmediate();
  assert.deepEqual(events, ['it is away', 'it is away', 'back with 2']);
});

test('a shared store is asked by one probe at a time, and by none when all is closed', async (t) => {
  const { store, shared } = await goneAgain(t);
  t.mock.timers.tick(5000);
  await setImmediate();
  assert.equal(shared.probes, 2, 'while one is under way');
  shared.goOn();
  await setImmediate();
  t.mock.timers.tick(1000);
  await setImmediate();
  assert.equal(shared.probes, 3, 'a second later');
  await store.close();
  t.mock.timers.tick(5000);
  await setImmediate();
  assert.equal(shared.probes, 3, 'after the end');
});
