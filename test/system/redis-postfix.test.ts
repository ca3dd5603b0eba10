/** Two MX hosts, one Redis: the first attempt at one, the retry at the other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../support/deadline.js';
import { postfix } from '../support/postfix.js';
import { needsRoot } from '../support/programs.js';
import { redisServer } from '../support/redis.js';
import { testServer } from '../support/server.js';
import { smtp } from '../support/smtp-client.js';

/** Offers a mail; resolves to the reply to its recipient. */
async function offer(port: number, address: string): Promise<string> {
  const client = await smtp(port);
  try {
    await client.xclient({ NAME: '[UNAVAILABLE]', ADDR: address });
    await client.expect('MAIL FROM:<alice@example.com>', 250);
    const { code, text } = await client.command('RCPT TO:<user@example.org>');
    if (code === 250) await client.data(['Subject: to many', '', 'Hello.']);
    await client.quit();
    return `${code} ${text}`;
  } finally {
    client.close();
  }
}

test(
  'mail that was deferred at one MX host is taken by the other, which says how long it waited',
  needsRoot('postfix', 'redis-server', 'redis-cli'),
  async (t) => {
    const redis = await redisServer(t);
    const hosts = [];
    while (hosts.length < 2) {
      const server = await testServer(t, [`--db=${redis.url}`, '--delay=2']);
      const mta = await postfix({
        recipientRestrictions: `reject_unauth_destination, check_policy_service ${server.endpoint}`,
      });
      t.after(() => mta.stop());
      hosts.push(mta);
    }
    const [a, b] = hosts;
    assert.ok(a && b);
    assert.match(
      await offer(a.port, '192.0.2.5'),
      /^450 4\.2\.0 <user@example\.org>.*Greylisted for 2 seconds/,
    );
    assert.match(await offer(b.port, '192.0.2.5'), /^450 /);
    // Another machine of the same network, at the other host.
    await eventually(
      async () => ((await offer(b.port, '192.0.2.77')).startsWith('250') ? true : undefined),
      'pass at the other host',
    );
    const [message] = await b.expectMessages(1);
    assert.match(message ?? '', /^X-Greylist: delayed \d+ seconds by greyctl/m);
    assert.equal(a.messages().length, 0);
    assert.match(await offer(a.port, '192.0.2.5'), /^250 /);
  },
);
