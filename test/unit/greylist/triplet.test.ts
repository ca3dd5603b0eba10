import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '#src/greylist/address.js';
import type { Attempt } from '#src/greylist/attempt.js';
import { defaultSettings } from '#src/greylist/settings.js';
import { foldSender, looksDynamic, tripletOf } from '#src/greylist/triplet.js';

function attempt(address: string, more: Partial<Attempt> = {}): Attempt {
  return {
    time: 0,
    client: parseAddress(address) ?? assert.fail(),
    clientName: 'unknown',
    sender: 'a@s.example',
    recipient: 'b@r.example',
    ...more,
  };
}

const key = (given: Attempt, settings: Partial<typeof defaultSettings> = {}) =>
  Object.values(tripletOf(given, { ...defaultSettings, ...settings })).join('/');

test('the key is network, folded sender and recipient in lower case, as in postgrey', () => {
  assert.equal(key(attempt('192.0.2.5', { sender: 'A@S', recipient: 'U@D' })), '192.0.2.0/a@s/u@d');
  assert.equal(key(attempt('2001:db8:1:2:3::1')), '2001:db8:1:2:0:0:0:0/a@s.example/b@r.example');
  assert.equal(key(attempt('192.0.2.5', { sender: '' })), '192.0.2.0//b@r.example');
  assert.equal(key(attempt('192.0.2.5', { recipient: 'r+x@d' })), '192.0.2.0/a@s.example/r+x@d');
});

test('other masks and the whole address can stand for the client', () => {
  assert.equal(key(attempt('192.0.2.77'), { ipv4Prefix: 28 }), '192.0.2.64/a@s.example/b@r.example');
  assert.equal(key(attempt('192.0.2.5'), { clientKey: 'host' }), '192.0.2.5/32/a@s.example/b@r.example');
  assert.equal(
    key(attempt('2001:db8::5'), { clientKey: 'host' }),
    '2001:db8:0:0:0:0:0:5/128/a@s.example/b@r.example',
  );
});

test('the verified domain stands for the client unless there is none or the name is that of a dynamic line', () => {
  const settings = { clientKey: 'domain' } as const;
  const pool = { clientName: 'mail-wr1-f52.google.com', clientDomain: 'google.com' };
  assert.equal(key(attempt('209.85.221.52', pool), settings), 'google.com/a@s.example/b@r.example');
  assert.equal(key(attempt('192.0.2.5'), settings), '192.0.2.0/a@s.example/b@r.example');
  const line = { clientName: '192-0-2-5.dsl.example.net', clientDomain: 'example.net' };
  assert.equal(key(attempt('192.0.2.5', line), settings), '192.0.2.0/a@s.example/b@r.example');
});

test('names that carry the address look dynamic, others do not', () => {
  const dynamic = (name: string, address: string) =>
    looksDynamic(name, parseAddress(address) ?? assert.fail());
  for (const name of [
    '203-0-113-7.dsl.example',
    '7.113.0.203.example',
    'host-113-7.example',
    'pc203000113007.example',
    'cb007107.virtua.example',
    '077100cb.example',
    'p7.113.example',
  ])
    assert.equal(dynamic(name, '203.0.113.7'), true, name);
  assert.equal(dynamic('mail7.example.org', '203.0.113.7'), false);
  assert.equal(dynamic('mail-5.example.org', '203.0.5.5'), false);
  assert.equal(dynamic('dyn-5-5.example.org', '203.0.5.5'), true);
  assert.equal(dynamic('2001-db8-1-2--5.dyn.example', '2001:db8:1:2::5'), true);
  assert.equal(dynamic('20010db8000100020000000000000005.dyn.example', '2001:db8:1:2::5'), true);
  assert.equal(dynamic('mx1.example.org', '2001:db8::1'), false);
});

test('senders are folded as postgrey folds them', () => {
  const cases: Record<string, string> = {
    'bounce-123-456=u@s': 'bounce-#-#=u@s',
    'list+abc@s': 'list@s',
    'prvs=0123456789=joe@s': 'joe@s',
    'prvs=joe=0123456789@s': 'joe@s',
    'prvs=0123456789=abcdefghij@s': 'abcdefghij@s',
    'prvs=joe=ann@s': 'ann@s',
    'prvs=a=b=c@s': 'prvs=a=b=c@s',
    'prvs=joe@s': 'prvs=joe@s',
    'prvs=joe=@s': 'prvs=joe=@s',
    'PRVS=0123456789=joe@s': 'prvs=#=joe@s',
    'b_123_4@s': 'b_123_4@s',
    'msg12@s': 'msg12@s',
    '+x@s': '@s',
    'a+b+c@d+e@f': 'a@d+e@f',
    'Joe@EXAMPLE.org': 'joe@example.org',
    '123@45.example': '#@45.example',
    'no-at-123': 'no-at-123',
    '': '',
  };
  for (const [sender, folded] of Object.entries(cases)) assert.equal(foldSender(sender), folded, sender);
});
