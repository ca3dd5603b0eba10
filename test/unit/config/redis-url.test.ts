import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readRedisUrl, withoutPassword } from '#src/config/redis-url.js';

const plain = { kind: 'single', database: 0, isTls: false, prefix: 'greyctl' } as const;

test('reads the locations of a server, of a master that Sentinels know, and of a cluster', () => {
  const read: Record<string, object> = {
    'redis://db.example': { ...plain, hosts: [{ host: 'db.example', port: 6379 }] },
    'rediss://al%40ice:p%3A%2F@[2001:db8::1]:7000/3': {
      ...{ ...plain, isTls: true, database: 3, user: 'al@ice', password: 'p:/' },
      hosts: [{ host: '2001:db8::1', port: 7000 }],
    },
    'redis://:secret@127.0.0.1/0?prefix=mx.1': {
      ...{ ...plain, password: 'secret', prefix: 'mx.1' },
      hosts: [{ host: '127.0.0.1', port: 6379 }],
    },
    'redis+sentinel://a,b:7000/mymaster/2': {
      ...{ ...plain, kind: 'sentinel', master: 'mymaster', database: 2 },
      hosts: [
        { host: 'a', port: 26379 },
        { host: 'b', port: 7000 },
      ],
    },
    'rediss+cluster://u:p@a,b': {
      ...{ ...plain, kind: 'cluster', isTls: true, user: 'u', password: 'p' },
      hosts: [
        { host: 'a', port: 6379 },
        { host: 'b', port: 6379 },
      ],
    },
  };
  for (const [location, parts] of Object.entries(read)) assert.deepEqual(readRedisUrl(location), parts);
});

test('refuses what is none of these, and never says the password', () => {
  for (const location of [
    'redis://',
    'redis:host',
    'redis://h1:s3cret',
    'redis://u:s3cret@h:70000',
    'redis://u:s3cret@h1,h2',
    'redis://u:s3/cret@h',
    'redis://u:s3cret@h/x',
    'redis://u:s3cret@h/1/2',
    'redis://u:s3%zzcret@h',
    'redis+sentinel://u:s3cret@h',
    'redis+cluster://u:s3cret@h/1',
    'redis://u:s3cret@h?prefix=a%20b',
    'redis://u:s3cret@h?db=1',
  ])
    assert.throws(
      () => readRedisUrl(location),
      (error: Error) =>
        error.name === 'BadValue' && (!location.includes('@') || !/s3|cret/.test(error.message)),
      location,
    );
});

test('shows locations without their password', () => {
  assert.equal(withoutPassword('redis://u:p@h/1'), 'redis://u:***@h/1');
  assert.equal(withoutPassword('--db=rediss+sentinel://:p/@x@h,i/m'), '--db=rediss+sentinel://:***@h,i/m');
  assert.equal(withoutPassword('redis://h:1/2'), 'redis://h:1/2');
  assert.equal(withoutPassword('/var/lib/a:b@c'), '/var/lib/a:b@c');
});
