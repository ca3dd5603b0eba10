import assert from 'node:assert/strict';
import { test } from 'node:test';
import { joinQuoted } from '#src/cli/arguments.js';

test('a quoted text that a shell has split is put together again', () => {
  const split = '--delay=60 --greylist-text="Greylisted for %s seconds, see %r" --quiet'.split(' ');
  assert.deepEqual(joinQuoted(split), [
    '--delay=60',
    '--greylist-text=Greylisted for %s seconds, see %r',
    '--quiet',
  ]);
  assert.deepEqual(joinQuoted(["--greylist-text='one", "two'"]), ['--greylist-text=one two']);
  assert.deepEqual(joinQuoted(['--greylist-text', '"one', 'two"', 'x']), ['--greylist-text', 'one two', 'x']);
  assert.deepEqual(joinQuoted(['--greylist-text="word"']), ['--greylist-text=word']);
});

test('a text without its closing quote, and quotes inside, are left alone', () => {
  for (const args of [['--greylist-text="open', 'end'], ['--comment=it is "fine"', 'x'], ['say "hi"'], ['']])
    assert.deepEqual(joinQuoted(args), args);
});
