import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { listFiles, type Loaded } from '#src/whitelist/files.js';

/** A folder that goes away with the test; texts of results have `DIR` in its place. */
function workplace(context: TestContext) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'greyctl-lists-'));
  context.after(() => {
    rmSync(folder, { recursive: true });
  });
  const at = (name: string) => path.join(folder, name);
  return {
    at,
    /** Replaces the file as careful editors do: the new one is renamed over the old one. */
    write: (name: string, text: string) => {
      writeFileSync(at(`${name}.new`), text);
      renameSync(at(`${name}.new`), at(name));
    },
    clients: (...names: string[]) => listFiles(names.map((name) => ({ kind: 'client', path: at(name) }))),
    told: ({ entries, warnings, changed }: Loaded) => ({
      patterns: entries.map((entry) => entry.pattern),
      warnings: warnings.map((warning) => warning.replaceAll(folder, 'DIR')),
      changed,
    }),
  };
}

test('all files are loaded in their order, each with its kind', async (context) => {
  const { at, write } = workplace(context);
  write('a', 'one.test\n# words\ntwo.test # why');
  write('b', 'joe@three.test\n');
  const { entries, warnings, changed } = await listFiles([
    { kind: 'client', path: at('a') },
    { kind: 'recipient', path: at('b') },
  ]).load();
  assert.deepEqual(
    entries.map(({ kind, pattern, origin }) => [kind, pattern, origin]),
    [
      ['client', 'one.test', { file: at('a'), line: 1 }],
      ['client', 'two.test', { file: at('a'), line: 3 }],
      ['recipient', 'joe@three.test', { file: at('b'), line: 1 }],
    ],
  );
  assert.deepEqual(warnings, []);
  assert.equal(changed, true);
});

test('the first load takes the good lines and warns of the bad ones, and of a missing file but not of a .local', async (context) => {
  const { write, clients, told } = workplace(context);
  write('a', 'one.test\n1.2.3.4/99\ntwo.test');
  assert.deepEqual(told(await clients('a', 'gone', 'a.local').load()), {
    patterns: ['one.test', 'two.test'],
    warnings: [
      "DIR/a line 2: '1.2.3.4/99' is not an IP address or network",
      'DIR/gone: no such file or directory',
    ],
    changed: true,
  });
});

test('a refresh without a change changes nothing and repeats no warning', async (context) => {
  const { write, clients, told } = workplace(context);
  write('a', 'one.test\nbad line');
  const files = clients('a', 'gone');
  const first = await files.load();
  const again = await files.refresh();
  assert.deepEqual(told(again), { patterns: ['one.test'], warnings: [], changed: false });
  assert.equal(again.entries, first.entries);
});

test('a refresh takes a file that was replaced, or written in place, or that has come', async (context) => {
  const { at, write, clients, told } = workplace(context);
  write('a', 'one.test\n');
  const files = clients('a', 'a.local');
  await files.load();
  write('a', 'two.test\n');
  assert.deepEqual(told(await files.refresh()), { patterns: ['two.test'], warnings: [], changed: true });
  writeFileSync(at('a'), 'three.test\n');
  assert.deepEqual(told(await files.refresh()), { patterns: ['three.test'], warnings: [], changed: true });
  write('a.local', 'four.test\n');
  assert.deepEqual(told(await files.refresh()), {
    patterns: ['three.test', 'four.test'],
    warnings: [],
    changed: true,
  });
});

test('a bad line keeps the last good list, is told once, and again after the next change', async (context) => {
  const { write, clients, told } = workplace(context);
  write('a', 'one.test\ntwo.test\n');
  const files = clients('a');
  await files.load();
  write('a', 'three.test\nbad line\n');
  const kept = {
    patterns: ['one.test', 'two.test'],
    warnings: [
      "DIR/a line 2: 'bad line' has a blank inside: one entry a line",
      'DIR/a: its last good list (2 entries) stays in force until every line is good',
    ],
    changed: false,
  };
  assert.deepEqual(told(await files.refresh()), kept);
  assert.deepEqual(told(await files.refresh()), { ...kept, warnings: [] });
  write('a', 'three.test\nbad line\n#\n');
  assert.deepEqual(told(await files.refresh()), kept);
  write('a', 'three.test\n');
  assert.deepEqual(told(await files.refresh()), { patterns: ['three.test'], warnings: [], changed: true });
});

test('a file that vanishes, .local or not, keeps its last good list', async (context) => {
  const { at, write, clients, told } = workplace(context);
  for (const name of ['a', 'b.local']) {
    write(name, 'one.test\n');
    const files = clients(name);
    await files.load();
    rmSync(at(name));
    assert.deepEqual(told(await files.refresh()), {
      patterns: ['one.test'],
      warnings: [
        `DIR/${name}: no such file or directory`,
        `DIR/${name}: its last good list (1 entry) stays in force until it can be read again`,
      ],
      changed: false,
    });
    assert.deepEqual((await files.refresh()).warnings, []);
    write(name, '# nothing\n');
    assert.deepEqual(told(await files.refresh()), { patterns: [], warnings: [], changed: true });
  }
});

test('a reload reads every file again, keeps what cannot be read, and repeats its warnings', async (context) => {
  const { at, write, clients, told } = workplace(context);
  write('a', 'one.test\n');
  write('b', 'two.test\n');
  const files = clients('a', 'b');
  await files.load();
  rmSync(at('b'));
  mkdirSync(at('b'));
  write('a', 'three.test\n');
  const expected = {
    patterns: ['three.test', 'two.test'],
    warnings: [
      'DIR/b: is not a regular file',
      'DIR/b: its last good list (1 entry) stays in force until it can be read again',
    ],
    changed: true,
  };
  assert.deepEqual(told(await files.reload()), expected);
  assert.deepEqual(told(await files.reload()), expected);
  rmdirSync(at('b'));
  write('b', 'four.test\n');
  assert.deepEqual(told(await files.reload()), {
    patterns: ['three.test', 'four.test'],
    warnings: [],
    changed: true,
  });
});

test('a named pipe is refused instead of waited for', async (context) => {
  const { at, clients, told } = workplace(context);
  execFileSync('mkfifo', [at('pipe')]);
  assert.deepEqual(told(await clients('pipe').load()).warnings, ['DIR/pipe: is not a regular file']);
});

test('a file of more than 16 MiB is refused', async (context) => {
  const { at, write, clients, told } = workplace(context);
  write('big', '');
  truncateSync(at('big'), 16 * 1024 * 1024 + 1);
  assert.deepEqual(told(await clients('big').load()).warnings, ['DIR/big: is larger than 16 MiB']);
});

test('lines of a long file keep their numbers, and of many bad ones only some are told', async (context) => {
  const { write, clients, told } = workplace(context);
  const good = Array.from({ length: 20_000 }, (_, index) => `host${index}.test`);
  write('a', [...good, ...Array.from({ length: 30 }, () => 'bad line'), 'last.test'].join('\n'));
  const { entries, warnings } = await clients('a').load();
  assert.equal(entries.length, 20_001);
  assert.deepEqual(
    entries.map(({ origin }) => ('line' in origin ? origin.line : 0)),
    [...good.keys()].map((index) => index + 1).concat(20_031),
  );
  assert.equal(warnings.length, 21);
  const shown = told({ entries: [], warnings, changed: true }).warnings;
  assert.equal(shown[0], "DIR/a line 20001: 'bad line' has a blank inside: one entry a line");
  assert.equal(shown[20], 'DIR/a: 10 more lines are bad');
});

test('calls that overlap are done one after the other', async (context) => {
  const { write, clients } = workplace(context);
  write('a', 'one.test\n');
  const files = clients('a');
  const results = await Promise.all([files.load(), files.refresh(), files.reload(), files.refresh()]);
  assert.deepEqual(
    results.map(({ changed }) => changed),
    [true, false, true, false],
  );
});
