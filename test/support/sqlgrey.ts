/** Debian's sqlgrey on a SQLite database of its own. It has no way to be told the time: it goes by a faked clock. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { environment, start } from './background.js';
import type { FakeClock } from './fake-clock.js';
import { freePort } from './free-port.js';
import { connect, request, type PolicyClient } from './policy-client.js';
import { find, needs } from './programs.js';

export interface Sqlgrey {
  readonly client: PolicyClient;
  /** Its SQLite database. */
  readonly database: string;
  /** Ends it and removes all it wrote. */
  stop(): Promise<void>;
}

/** Test options that skip a test where sqlgrey with SQLite, or a clock for it, is missing. */
export function needsSqlgrey(): { skip?: string } {
  const hasModule = spawnSync('perl', ['-MDBD::SQLite', '-e', '1']).status === 0;
  return hasModule
    ? needs('sqlgrey', 'faketime')
    : { skip: 'DBD::SQLite is missing, apt-get install libdbd-sqlite3-perl' };
}

/** As root sqlgrey becomes its own user; otherwise it stays who runs the test. */
function owner(): { uid: number; gid: number } {
  const { uid, gid } = os.userInfo();
  if (uid !== 0) return { uid, gid };
  const id = (flag: string) => Number(execFileSync('id', [flag, 'sqlgrey'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

async function launch(folder: string, settings: readonly string[], clock: FakeClock) {
  const { uid, gid } = owner();
  const port = await freePort();
  const database = path.join(folder, 'sqlgrey.db');
  const configuration = path.join(folder, 'sqlgrey.conf');
  const lines = [
    ...settings,
    `user = ${uid}`,
    `group = ${gid}`,
    `inet = 127.0.0.1:${port}`,
    `db_dsn = DBI:SQLite:dbname=${database}`,
    // Empty: it mails nobody.
    'admin_mail =',
  ];
  writeFileSync(configuration, `${lines.join('\n')}\n`);
  const child = start(find('sqlgrey') ?? 'sqlgrey', ['-f', configuration], { env: environment(clock.env) });
  const client = await child
    .until(() => connect(`inet:127.0.0.1:${port}`).catch(() => undefined), 'answer from sqlgrey')
    .catch(async (error: unknown) => {
      await child.kill();
      throw error;
    });
  return { child, client, database };
}

/** Starts sqlgrey with these lines of sqlgrey.conf beside those for its place; the caller stops it. */
export async function sqlgrey(settings: readonly string[], clock: FakeClock): Promise<Sqlgrey> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'greyctl-sqlgrey-'));
  const { uid, gid } = owner();
  chownSync(folder, uid, gid);
  // Another program may take the free port first: then sqlgrey ends, and a second port is tried.
  const begin = () => launch(folder, settings, clock);
  const { child, client, database } = await begin().catch(begin);
  return {
    client,
    database,
    async stop() {
      client.close();
      await child.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A question as sqlgrey and greyctl are asked it. */
export interface Question {
  readonly address: string;
  readonly name: string;
  readonly sender: string;
  readonly recipient: string;
}

/** True when the answer lets the mail through. */
export async function isAccepted(client: PolicyClient, question: Question): Promise<boolean> {
  const { address, name, sender, recipient } = question;
  const action = await client.ask(request({ client_address: address, client_name: name, sender, recipient }));
  return !/^defer_if_permit\b/i.test(action);
}
