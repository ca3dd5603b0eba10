import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { run } from '../support/greyctl.js';
import { temporaryFolder } from '../support/temporary.js';

async function place(t: TestContext) {
  const folder = await temporaryFolder(t);
  const now = Math.floor(Date.now() / 1000);
  const dump = (...data: (string | number)[]) =>
    ['VERSION=3', 'format=print', 'HEADER=END', ...data.map((line) => ` ${line}`), 'DATA=END', ''].join('\n');
  await writeFile(
    `${folder}/dump`,
    dump(
      '192.0.2.0/a@s.example/b@r.example',
      `${now - 90},${now}`,
      '192.0.2.0//b@r.example',
      `${now},${now}`,
    ),
  );
  await writeFile(`${folder}/clients`, dump('192.0.2.5', `5,${now}`));
  await writeFile(
    `${folder}/postgrey`,
    'POSTGREY_OPTS="--inet=10023 --delay=60 -d --dbdir=/srv/x --frob"\nPOSTGREY_TEXT="Wait # %s"\n',
  );
  const args = [`--db=${folder}/greyctl.db`, `--defaults=${folder}/postgrey`];
  return { folder, args, dumps: [`--dump=${folder}/dump`, `--clients-dump=${folder}/clients`] };
}

test('import postgrey says what it took over, what it left out, and which settings say the same', async (t) => {
  const { folder, args, dumps } = await place(t);
  const { stdout, stderr, status } = await run(['import', 'postgrey', ...args, ...dumps]);
  assert.deepEqual({ stderr, status }, { stderr: '', status: 0 });
  assert.equal(
    stdout,
    `POSTGREY\t${folder}/dump and ${folder}/clients
triplets passed\t1
triplets waiting\t1
clients counted for the AWL\t1
expired, left out\t0
hashed, left out\t0
unusable, left out\t0
moved over: 3 were new, 0 changed
note: --frob: no option of greyctl, left out
note: --daemonize: left out, the service manager keeps the server in the background
note: --dbdir: left out, that is where the database of postgrey is

greyctl.conf would be:

    # Settings of postgrey, from ${folder}/postgrey.
    inet = 10023
    delay = 60
    greylist-text = "Wait # %s"
`,
  );
  const listed = await run(['db', 'list', '--json', ...args.slice(0, 1)]);
  assert.equal(listed.stdout.trim().split('\n').length, 2);
});

test('a dry run of import postgrey writes nothing', async (t) => {
  const { folder, args, dumps } = await place(t);
  const config = `--write-config=${folder}/greyctl.conf`;
  const { stdout } = await run(['import', 'postgrey', '--dry-run', config, ...args, ...dumps]);
  assert.match(stdout, /^dry run: nothing was written$/m);
  for (const name of ['greyctl.db', 'greyctl.conf']) await assert.rejects(readFile(`${folder}/${name}`));
});

test('import postgrey that fails leaves no configuration in the way of the next', async (t) => {
  const { folder, args, dumps } = await place(t);
  const config = [`--write-config=${folder}/greyctl.conf`];
  const failed = await run([
    'import',
    'postgrey',
    ...config,
    `--db=${folder}/none/g.db`,
    ...args.slice(1),
    ...dumps,
  ]);
  assert.equal(failed.status, 1);
  assert.match(failed.stderr, /^Try: mkdir -p /m);
  await assert.rejects(readFile(`${folder}/greyctl.conf`));
  assert.equal((await run(['import', 'postgrey', ...config, ...args, ...dumps])).status, 0);
});

test('import postgrey writes a configuration that greyctl takes, and overwrites none', async (t) => {
  const { folder, args, dumps } = await place(t);
  const command = ['import', 'postgrey', `--write-config=${folder}/greyctl.conf`, ...args, ...dumps];
  assert.equal((await run(command)).status, 0);
  const { stdout, status } = await run(['config', 'show', '--json', `--config=${folder}/greyctl.conf`]);
  assert.equal(status, 0);
  const shown = JSON.parse(stdout) as Record<string, { value: string }>;
  assert.deepEqual([shown['delay']?.value, shown['greylist_text']?.value], ['1m', 'Wait # %s']);
  const again = await run(command);
  assert.deepEqual(
    [again.status, again.stderr],
    [1, `greyctl: cannot write ${folder}/greyctl.conf: it is there already\nTry: name a new file\n`],
  );
  const missing = await run([
    ...['import', 'postgrey', `--write-config=${folder}/etc/greyctl.conf`],
    ...[...args, ...dumps],
  ]);
  assert.equal(
    missing.stderr,
    `greyctl: cannot write ${folder}/etc/greyctl.conf: no such file or directory\nTry: mkdir -p ${folder}/etc\n`,
  );
});

test('import postgrey names what it cannot find', async (t) => {
  const { folder, args } = await place(t);
  const stderr = async (...more: string[]) => (await run(['import', 'postgrey', ...args, ...more])).stderr;
  assert.equal(
    await stderr(`--from=${folder}`),
    `greyctl: there is no database of postgrey (postgrey.db) in ${folder}\n` +
      'Try: --from=DIR names its folder, --dump=FILE a saved db_dump\n',
  );
  assert.equal(
    await stderr('--dump=/no/such'),
    'greyctl: cannot read the dump /no/such: no such file or directory\n',
  );
  assert.match(await stderr('--defaults=/no/such'), /^greyctl: cannot read \/no\/such: no such file/);
  await writeFile(`${folder}/postgrey.db`, '');
  const { stderr: missing, status } = await run(['import', 'postgrey', ...args, `--from=${folder}`], {
    env: { PATH: folder },
  });
  assert.deepEqual(
    [status, missing],
    [
      1,
      'greyctl: cannot read Berkeley DB files: there is no program db_dump\n' +
        'Try: apt-get install db-util, or give a dump made elsewhere with --dump=FILE\n',
    ],
  );
});
