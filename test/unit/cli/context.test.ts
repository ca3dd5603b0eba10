import assert from 'node:assert/strict';
import { test } from 'node:test';
import { missingDatabase, type Process } from '#src/cli/context.js';
import { resolve } from '#src/config/resolve.js';

const outside: Process = {
  environment: {},
  stdout: process.stdout,
  stderr: process.stderr,
  userId: 0,
  home: '/root',
  now: () => 0,
};

test('of a default database that is not there it is said how another is named, of a named one not', () => {
  const { message, hint } = missingDatabase(resolve({}, {}).values, outside);
  assert.equal(message, 'there is no database /var/lib/greyctl/greyctl.db');
  assert.equal(hint, '--db=FILE, with the file that the server named at its start');
  const given = [{ db: ['/a/b.db'] }, { dbdir: ['/a'] }];
  const named = given.map((one) => missingDatabase(resolve(one, {}).values, outside));
  assert.deepEqual(
    named.map((failure) => [failure.message, failure.hint]),
    [
      ['there is no database /a/b.db', undefined],
      ['there is no database /a/greyctl.db', undefined],
    ],
  );
});
