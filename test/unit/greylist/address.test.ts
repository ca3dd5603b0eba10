import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import { addressText, contains, networkAddress, parseAddress, parseNetwork } from '#src/greylist/address.js';
import { random } from '../../support/random.js';

function text(source: string): string | undefined {
  const address = parseAddress(source);
  return address && addressText(address);
}

test('an address is written the way postgrey writes it in its keys', () => {
  assert.equal(text('192.0.2.5'), '192.0.2.5');
  assert.equal(text('2001:DB8:1:2:3::1'), '2001:db8:1:2:3:0:0:1');
  assert.equal(text('::'), '0:0:0:0:0:0:0:0');
  assert.equal(text('::1'), '0:0:0:0:0:0:0:1');
  assert.equal(text('64:ff9b::192.0.2.33'), '64:ff9b:0:0:0:0:c000:221');
});

test('an IPv4-mapped IPv6 address is the IPv4 address', () => {
  assert.equal(text('::ffff:192.0.2.5'), '192.0.2.5');
  assert.equal(text('::FFFF:c000:205'), '192.0.2.5');
});

test('what is not an address is refused', () => {
  for (const wrong of [
    '',
    'unknown',
    '1.2.3',
    '1.2.3.256',
    '1.2.3.4.5',
    ' 1.2.3.4',
    '1.2.3.-4',
    '1.2.3.04',
    '1.2.3.00',
    '1::2::3',
    ':1',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '::1%eth0',
    '12345::',
    '1.2.3.4::',
    '02.1.2.5',
    '1.2.3.00',
    '::1.2.3',
    'a.b.c.d',
    '::1.2.3.4:5',
  ])
    assert.equal(parseAddress(wrong), undefined, wrong);
});

test('it agrees with node about what an address is, over random strings', () => {
  const { pick, seed } = random();
  for (let round = 0; round < 20_000; round += 1) {
    const length = 1 + pick(18);
    const source = Array.from({ length }, () => '01259af:::..'[pick(12)]).join('');
    assert.equal(parseAddress(source) !== undefined, isIP(source) !== 0, `${source} (seed ${seed})`);
  }
});

test('a network keeps the bits of its length and contains what shares them', () => {
  const network = parseNetwork('192.0.2.77/25');
  assert.ok(network);
  assert.equal(addressText(network.address), '192.0.2.0');
  assert.equal(network.prefixLength, 25);
  const inside = (address: string) => contains(network, parseAddress(address) ?? assert.fail());
  assert.equal(inside('192.0.2.127'), true);
  assert.equal(inside('192.0.2.128'), false);
  assert.equal(inside('::ffff:192.0.2.1'), true);
  assert.equal(inside('2001:db8::1'), false);
  assert.equal(parseNetwork('::ffff:192.0.2.0/120')?.prefixLength, 24);
  for (const wrong of [
    '192.0.2.0/33',
    '192.0.2.0/',
    '192.0.2.0/-1',
    '192.0.2.0/a',
    '2001:db8::/129',
    '::ffff:1.2.3.4/24',
  ])
    assert.equal(parseNetwork(wrong), undefined, wrong);
});

test('the network of an address is its first address', () => {
  const masked = (address: string, length: number) =>
    addressText(networkAddress(parseAddress(address) ?? assert.fail(), length));
  assert.equal(masked('192.0.2.5', 24), '192.0.2.0');
  assert.equal(masked('192.0.2.255', 28), '192.0.2.240');
  assert.equal(masked('192.0.2.255', 0), '0.0.0.0');
  assert.equal(masked('2001:db8:1:2:3::1', 64), '2001:db8:1:2:0:0:0:0');
  assert.equal(masked('2001:db8:1:2ff:3::1', 60), '2001:db8:1:2f0:0:0:0:0');
});
