/** A server that is restarted under load while somebody else, as systemd does, keeps its socket. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { start } from '../support/background.js';
import { eventually } from '../support/deadline.js';
import { freePort } from '../support/free-port.js';
import { repositoryRoot, run } from '../support/greyctl.js';
import { connect, request } from '../support/policy-client.js';
import { find, needs } from '../support/programs.js';
import { temporaryFolder } from '../support/temporary.js';

/** Holds the socket that systemd-socket-activate opened, and starts the server on it again and again. */
const keeper = 'while [ ! -e "$STOP" ]; do sh -c \'LISTEN_PID=$$ exec "$0" "$@"\' "$0" "$@"; done';

test(
  'restarts under load refuse no connection, and whoever asks again, as Postfix does, is answered',
  needs('systemd-socket-activate'),
  async (t) => {
    const folder = await temporaryFolder(t);
    const port = await freePort();
    const pidfile = `${folder}/pid`;
    const activator = start(find('systemd-socket-activate') ?? '', [
      ...['-l', `127.0.0.1:${port}`, '-E', `STOP=${folder}/stop`, '-E', `PATH=${process.env['PATH'] ?? ''}`],
      ...['--', '/bin/sh', '-c', keeper, process.execPath, `${repositoryRoot}/bin/greyctl.js`, 'serve'],
      ...[`--db=${folder}/g.db`, `--whitelist-clients=${folder}/none.local`, `--pidfile=${pidfile}`],
      '--max-waiting-per-client=1000000',
    ]);
    t.after(() => activator.kill());
    const endpoint = `inet:127.0.0.1:${port}`;
    const counts = { answers: 0, again: 0 };
    let isOver = false;
    /** A connection must be had; one that is closed before its answer is made anew, at most twice in a row. */
    const ask = async (sender: string): Promise<string> => {
      for (let attempt = 1; ; attempt += 1) {
        const client = await connect(endpoint, 30_000);
        try {
          return await client.ask(request({ sender }));
        } catch (error) {
          counts.again += 1;
          if (attempt === 3) throw error;
        } finally {
          client.close();
        }
      }
    };
    await eventually(
      () =>
        connect(endpoint).then(
          (client) => {
            client.close();
            return true;
          },
          () => undefined,
        ),
      'socket',
    );
    const load = Promise.all(
      Array.from({ length: 10 }, async (_, index) => {
        for (let count = 0; !isOver; count += 1) {
          assert.match(await ask(`c${index}n${count}z@example.com`), /^DEFER/);
          counts.answers += 1;
        }
      }),
    );
    const pid = () =>
      readFile(pidfile, 'utf8').then(
        (text) => Number(text) || undefined,
        () => undefined,
      );
    let last = 0;
    const restarts = async (): Promise<void> => {
      for (let round = 0; round < 5; round += 1) {
        const before = counts.answers;
        await eventually(() => (counts.answers > before + 100 ? true : undefined), 'answers');
        last = await eventually(async () => {
          const found = await pid();
          return found === last ? undefined : found;
        }, 'another server');
        process.kill(last, 'SIGTERM');
      }
      const before = counts.answers;
      await eventually(
        () => (counts.answers > before + 10 ? true : undefined),
        'answers after the last restart',
      );
    };
    await Promise.race([load, restarts()]);
    isOver = true;
    await load;
    await writeFile(`${folder}/stop`, '');
    process.kill(await eventually(pid, 'last server'), 'SIGTERM');
    assert.equal((await activator.exited).status, 0);
    assert.equal(activator.stderr().match(/^SIGTERM: stopping$/gm)?.length, 6);
    const info = JSON.parse((await run(['db', 'info', '--json', `--db=${folder}/g.db`])).stdout) as {
      entries: { waiting: number };
    };
    assert.ok(info.entries.waiting >= counts.answers);
    t.diagnostic(`${counts.answers} answers over 5 restarts, ${counts.again} asked again, 0 lost`);
  },
);
