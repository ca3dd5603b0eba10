/** How the master is found that Sentinels know, whatever they and it say or do not say. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { connect } from '#src/store/redis/link.js';
import { eventually, within } from '../../support/deadline.js';
import { fakeRedis, listReply, type FakeRedis } from '../../support/fake-redis.js';

const ok = '+OK\r\n';

/** One that greets whoever comes, and answers this question so. */
function answering(t: TestContext, question: string, reply: string | undefined): Promise<FakeRedis> {
  return fakeRedis(t, ([name]) => (name === question ? reply : ok));
}

function sentinel(t: TestContext, master: FakeRedis): Promise<FakeRedis> {
  return answering(t, 'SENTINEL', listReply('127.0.0.1', String(master.port)));
}

/** Connects to the master of these Sentinels. */
function connectBy(...sentinels: readonly { readonly port: number }[]) {
  const hosts = sentinels.map(({ port }) => ({ host: '127.0.0.1', port }));
  const place = { kind: 'sentinel', master: 'site', database: 0, isTls: false, prefix: 'greyctl' } as const;
  const address = { ...place, hosts };
  return within(
    connect({ address, connectMs: 1000 }, () => undefined),
    'end of connecting',
  );
}

test('after a Sentinel that greets and then says nothing the next is asked', async (t) => {
  const silent = await answering(t, 'SENTINEL', undefined);
  const master = await answering(t, 'ROLE', listReply('master'));
  const link = await connectBy(silent, await sentinel(t, master));
  assert.equal(master.connections(), 1);
  link.destroy();
  await eventually(() => silent.connections() === 0 || undefined, 'end of the connection to it');
});

test('a master that greets and then says nothing, or lets nobody in, is given up', async (t) => {
  for (const [reply, problem] of [
    [undefined, /no answer within 1 s/],
    ['-NOAUTH Authentication required.\r\n', /NOAUTH/],
  ] as const) {
    const master = await answering(t, 'ROLE', reply);
    await assert.rejects(connectBy(await sentinel(t, master)), problem);
    await eventually(() => master.connections() === 0 || undefined, 'end of the connection');
  }
});

test('what a Sentinel answers is told rather than that the next one is down', async (t) => {
  const refusing = await answering(t, 'SENTINEL', '-NOPERM this user has no permissions\r\n');
  const ignorant = await answering(t, 'SENTINEL', '*-1\r\n');
  const down = { port: 1 };
  const refused = `the Sentinel 127.0.0.1:${refusing.port} refuses this user or password`;
  const unknown = `the Sentinel 127.0.0.1:${ignorant.port} knows no master "site"`;
  await assert.rejects(connectBy(refusing, down), { message: refused });
  await assert.rejects(connectBy(down, refusing), { message: refused });
  await assert.rejects(connectBy(ignorant, refusing, down), { message: refused });
  await assert.rejects(connectBy(refusing, ignorant), { message: refused });
  await assert.rejects(connectBy(ignorant, down), { message: unknown });
  await assert.rejects(connectBy(down, down), /ECONNREFUSED/);
});
