/** What another user has put where the server is about to make its files, in a folder that is everybody's, as /tmp is. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmod,
  chown,
  lchown,
  lstat,
  mkdir,
  readdir,
  readFile,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { test, type TestContext } from 'node:test';
import { eventually } from '../support/deadline.js';
import { run } from '../support/greyctl.js';
import { request } from '../support/policy-client.js';
import { needsRoot } from '../support/programs.js';
import { testServer } from '../support/server.js';
import { temporaryFolder } from '../support/temporary.js';

const precious = 'precious\n';

/** A folder like /tmp, a file that the stranger would like to have written, and the stranger's hands. */
async function everybodys(t: TestContext) {
  const folder = await temporaryFolder(t);
  const shared = `${folder}/tmp`;
  await chmod(folder, 0o755);
  await mkdir(shared);
  await chmod(shared, 0o1777);
  const target = `${folder}/target`;
  await writeFile(target, precious);
  const stranger = Number(execFileSync('id', ['-u', 'nobody'], { encoding: 'utf8' }));
  return {
    shared,
    stranger,
    target,
    link: async (file: string, to = target) => {
      await symlink(to, file);
      await lchown(file, stranger, stranger);
    },
    file: async (file: string, text = '') => {
      await writeFile(file, text);
      await chown(file, stranger, stranger);
    },
  };
}

/** What `serve` says that does not start. */
async function refused(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await run(['serve', ...args]);
  assert.deepEqual([status, stdout], [1, ''], stderr);
  return stderr.split('\n')[0] ?? '';
}

test(
  'a link or a file of a stranger in the place of the database or what belongs to it is refused',
  needsRoot(),
  async (t) => {
    const { shared, stranger, target, link, file } = await everybodys(t);
    const isLink = `it is a link that another user has made (id ${stranger})`;
    const isFile = `another user has made it (id ${stranger}), in a folder where everybody may write`;
    for (const [plant, why] of [
      [link, isLink],
      [file, isFile],
    ] as const) {
      for (const end of ['', '.lock', '-wal', '-shm', '-journal', '.lock-journal']) {
        const db = `${shared}/${plant.name}${end}.db`;
        await plant(db + end);
        const args = ['--inet=127.0.0.1:0', `--db=${db}`];
        const belongs = /^-|.-/.test(end);
        const opened = end.startsWith('.lock') ? `${db}.lock` : db;
        assert.equal(
          await refused(...args),
          `greyctl: cannot open the database ${opened}: ${belongs ? `what belongs to it, ${db}${end}, is not ours: ` : ''}${why}`,
        );
        assert.equal((await lstat(db + end)).uid, stranger);
      }
    }
    assert.equal(await readFile(target, 'utf8'), precious);
  },
);

test(
  'a key that a stranger could know is refused, and no file is made where its link leads',
  needsRoot(),
  async (t) => {
    const { shared, stranger, target, link, file } = await everybodys(t);
    const db = `${shared}/greyctl.db`;
    const serve = (key: string) =>
      refused('--privacy', '--inet=127.0.0.1:0', `--db=${db}`, `--privacy-key=${shared}/${key}`);
    const known = `${'ab'.repeat(32)}\n`;
    await writeFile(`${target}.known`, known);
    await link(`${shared}/known`, `${target}.known`);
    await link(`${shared}/dangling`, `${target}.new`);
    await file(`${shared}/file`, known);
    const linked = `it is a link that another user has made (id ${stranger})`;
    assert.equal(await serve('known'), `greyctl: cannot read the privacy key ${shared}/known: ${linked}`);
    assert.equal(
      await serve('dangling'),
      `greyctl: cannot read the privacy key ${shared}/dangling: ${linked}`,
    );
    assert.equal(
      await serve('file'),
      `greyctl: cannot read the privacy key ${shared}/file: another user has made it (id ${stranger}), in a folder where everybody may write`,
    );
    await assert.rejects(stat(`${target}.new`));
    assert.deepEqual(
      (await readdir(shared)).filter((name) => /^(known|dangling|file)\./.test(name)),
      [],
    );
  },
);

test('a link in the place of the socket is neither followed nor removed', needsRoot(), async (t) => {
  const { shared, target, link } = await everybodys(t);
  const other = createServer().listen(`${target}.socket`);
  t.after(() => other.close());
  await eventually(() => stat(`${target}.socket`).catch(() => undefined), 'socket');
  for (const [name, to] of [
    ['file', target],
    ['dangling', `${target}.new`],
    ['socket', `${target}.socket`],
  ] as const) {
    await link(`${shared}/${name}`, to);
    assert.equal(
      await refused(`--unix=${shared}/${name}`, `--db=${shared}/greyctl.db`),
      `greyctl: cannot listen on unix:${shared}/${name}: a link is in the way`,
    );
    assert.ok((await lstat(`${shared}/${name}`)).isSymbolicLink());
  }
  await assert.rejects(stat(`${target}.new`));
});

for (const umask of ['000', '077']) {
  test(`with a umask of ${umask} database and key are nobody else's to write, and the socket has its mode`, async (t) => {
    const folder = await temporaryFolder(t);
    const before = process.umask(Number.parseInt(umask, 8));
    t.after(() => process.umask(before));
    const args = [`--unix=${folder}/s`, '--socketmode=0660', '--privacy', `--pidfile=${folder}/pid`];
    const server = await testServer(t, args, { folder });
    process.umask(before);
    await (await server.client()).ask(request());
    const mode = async (name: string) => ((await stat(`${folder}/${name}`)).mode & 0o777).toString(8);
    const database = umask === '000' ? '640' : '600';
    for (const end of ['', '-wal', '-shm', '.lock'])
      assert.equal(await mode(`greyctl.db${end}`), database, end);
    assert.equal(await mode('greyctl.db.key'), '600');
    assert.equal(await mode('s'), '660');
    assert.equal(await mode('pid'), umask === '000' ? '644' : '600');
    for (const command of ['backup', 'export']) {
      process.umask(Number.parseInt(umask, 8));
      const { status, stderr } = await run(['db', command, `${folder}/${command}`, `--db=${server.db}`]);
      process.umask(before);
      assert.equal(status, 0, stderr);
      assert.equal(await mode(command), database);
    }
  });
}
