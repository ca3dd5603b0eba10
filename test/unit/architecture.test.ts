import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '../support/greyctl.js';

/** What each room may import: other rooms, packages, and node's modules. A room that is not here does not exist. */
const house: Readonly<
  Record<string, { rooms: readonly string[]; packages?: readonly string[]; node?: boolean }>
> = {
  greylist: { rooms: [] },
  names: { rooms: [], packages: ['tldts'] },
  whitelist: { rooms: ['greylist'], packages: ['re2js'], node: true },
  policy: { rooms: ['greylist'] },
  server: { rooms: ['greylist', 'whitelist', 'policy'], node: true },
  maillog: { rooms: ['greylist'], packages: ['tail'], node: true },
  simulate: { rooms: ['greylist', 'whitelist', 'maillog'] },
  store: { rooms: ['greylist'], packages: ['better-sqlite3', 'redis'], node: true },
  transfer: { rooms: ['greylist'] },
  postfix: { rooms: [] },
  config: { rooms: ['greylist'], node: true },
  output: { rooms: ['greylist'], packages: ['chalk', 'cli-table3', 'string-width'], node: true },
  cli: {
    rooms: [
      'greylist',
      'names',
      'whitelist',
      'policy',
      'server',
      'store',
      'maillog',
      'simulate',
      'transfer',
      'postfix',
      'config',
      'output',
    ],
    packages: ['yargs'],
    node: true,
  },
};

const source = path.join(repositoryRoot, 'src');
const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.ts'),
);

function importsOf(file: string): string[] {
  const text = readFileSync(path.join(source, file), 'utf8');
  return [...text.matchAll(/(?:^import [^'"]*|^export [^'"]*from |import\()['"]([^'"]+)['"]/gm)].map(
    ([, name = '']) => name,
  );
}

function objection(file: string, imported: string): string | undefined {
  const [room = ''] = file.split(path.sep);
  const rules = house[room];
  if (!rules) return `${file} is in no room of the house`;
  if (imported.startsWith('node:'))
    return rules.node ? undefined : `${file} imports ${imported}, ${room}/ does no I/O`;
  if (!imported.startsWith('.')) {
    return rules.packages?.includes(imported)
      ? undefined
      : `${file} imports ${imported}, which ${room}/ must not know`;
  }
  const [target = ''] = path.normalize(path.join(path.dirname(file), imported)).split(path.sep);
  return target === room || rules.rooms.includes(target) ? undefined : `${file} reaches into ${target}/`;
}

test('each room imports only what it may', () => {
  assert.ok(files.length > 30);
  assert.deepEqual(
    files.flatMap((file) => importsOf(file).flatMap((imported) => objection(file, imported) ?? [])),
    [],
  );
});

test('a reach into another room is seen', () => {
  assert.equal(
    objection('greylist/decide.ts', '../store/memory.js'),
    'greylist/decide.ts reaches into store/',
  );
  assert.match(objection('greylist/decide.ts', 'node:fs') ?? '', /does no I\/O/);
  assert.match(objection('server/server.ts', 'chalk') ?? '', /must not know/);
  assert.match(objection('server/server.ts', '../cli/main.js') ?? '', /reaches into cli/);
});

test('nothing outside cli imports cli, and SQL stands in store/sqlite only', () => {
  const sql = /\b(SELECT|INSERT INTO|DELETE FROM|CREATE TABLE|PRAGMA)\b/;
  const strays = files.filter(
    (file) =>
      !file.startsWith(path.join('store', 'sqlite')) &&
      sql.test(readFileSync(path.join(source, file), 'utf8')),
  );
  assert.deepEqual(strays, []);
});

test('no shell is ever started: what strangers chose could be in its command', () => {
  const shells = /\bshell:|\bspawn(Sync)?\(['"`](ba|da|z)?sh\b/;
  const starting = files
    .map((file) => ({ file, text: readFileSync(path.join(source, file), 'utf8') }))
    .filter(({ text }) => text.includes("'node:child_process'"));
  assert.ok(starting.length > 0);
  for (const { file, text } of starting) {
    const imported = /import \{([^}]*)\} from 'node:child_process'/.exec(text)?.[1] ?? '';
    assert.doesNotMatch(imported, /\bexec(Sync)?\b/, file);
    assert.doesNotMatch(text, shells, file);
  }
});
