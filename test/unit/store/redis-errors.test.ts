import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureOf } from '#src/store/redis/connection.js';

test('what a script meets is understood as Redis 7.0 says it, and as 6.2 does', () => {
  const readOnly = "READONLY You can't write against a read only replica.";
  const wrapped = `ERR Error running script (call to f_0123abcd): @user_script:25: @user_script: 25: -${readOnly}`;
  for (const message of [readOnly, wrapped])
    assert.equal(
      failureOf('redis://db', new Error(message)).message,
      'cannot use the database redis://db: it may not be written: it is a replica',
    );
});
