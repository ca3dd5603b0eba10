import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '#src/greylist/address.js';
import { foldSender } from '#src/greylist/triplet.js';
import { RequestParser } from '#src/policy/parser.js';
import { askedBy, createQuestion } from '../../bench/question.js';

test('a question is one full-size request with another instance for each number', () => {
  const { bytes, become } = createQuestion();
  const instances = [0, 1, 2 ** 32 - 1].map((number) => {
    become(number);
    const requests = new RequestParser().push(bytes);
    assert.equal(requests.length, 1);
    assert.equal(requests[0]?.request, 'smtpd_access_policy');
    return requests[0].instance;
  });
  assert.equal(new Set(instances).size, 3);
  assert.ok(bytes.length > 650 && bytes.length < 850, `${bytes.length} bytes`);
});

test('different numbers are different triplets of usable clients, and a number is always the same', () => {
  const numbers = Array.from({ length: 2000 }, (_, index) => (index * 2_147_483) >>> 0);
  const asked = numbers.map(askedBy);
  assert.ok(asked.every(({ clientAddress }) => parseAddress(clientAddress)));
  assert.equal(new Set(asked.map(({ sender }) => foldSender(sender))).size, numbers.length);
  assert.deepEqual(askedBy(77), askedBy(77));
});
