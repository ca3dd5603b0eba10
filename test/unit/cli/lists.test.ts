import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chosenLists } from '#src/cli/lists.js';
import { resolve } from '#src/config/resolve.js';

const onlyPostgreys = (file: string) => file.startsWith('/etc/postgrey/') && !file.endsWith('.local');

test('where only postgrey has lists they are used, and it is said', () => {
  const { files, notes } = chosenLists(resolve({}, {}).values, onlyPostgreys);
  assert.deepEqual(notes, [
    "using postgrey's /etc/postgrey/whitelist_clients, because there is no /etc/greyctl/whitelist_clients",
    "using postgrey's /etc/postgrey/whitelist_recipients, because there is no /etc/greyctl/whitelist_recipients",
  ]);
  assert.ok(files.some(({ path }) => path === '/etc/postgrey/whitelist_clients'));
});

test('a named file replaces the default files of its kind, and nothing is said of them', () => {
  const { values } = resolve({ 'whitelist-clients': ['/etc/postgrey/whitelist_clients', '/a'] }, {});
  const { files, notes } = chosenLists(values, onlyPostgreys);
  assert.deepEqual(
    files.filter(({ kind }) => kind === 'client').map(({ path }) => path),
    ['/etc/postgrey/whitelist_clients', '/a'],
  );
  assert.equal(notes.length, 1);
});
