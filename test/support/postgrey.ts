/** Debian's postgrey, with its own database, lists and port. It takes the time of a request from `policy_test_time`. */
import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { environment, start, type Background } from './background.js';
import { freePort } from './free-port.js';
import { connect, request } from './policy-client.js';
import { find } from './programs.js';

export interface Lists {
  /** Lines of the client whitelist. */
  readonly clients?: readonly string[];
  /** Lines of the recipient whitelist. */
  readonly recipients?: readonly string[];
}

export interface Postgrey {
  /** `inet:127.0.0.1:PORT` */
  readonly endpoint: string;
  readonly port: number;
  /** The folder of its database. */
  readonly database: string;
  /** What it logged so far. */
  log(): string;
  /** Ends it, as a power cut would; `restart` starts it again. */
  halt(): Promise<unknown>;
  /** Ends it and starts it again with other switches, on the same database and port. */
  restart(args: readonly string[]): Promise<void>;
  /** Ends it and removes all it wrote. */
  stop(): Promise<void>;
}

/** As root postgrey becomes its own user; otherwise it stays who runs the test. */
function owner(): { uid: number; gid: number } {
  const { uid, gid } = os.userInfo();
  if (uid !== 0) return { uid, gid };
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgrey'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

function prepare(folder: string, lists: Lists): string[] {
  const { uid, gid } = owner();
  const database = path.join(folder, 'db');
  mkdirSync(database);
  for (const place of [folder, database]) chownSync(place, uid, gid);
  const list = (name: string, lines: readonly string[] = []) => {
    const file = path.join(folder, name);
    writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
    return file;
  };
  return [
    `--user=${uid}`,
    `--group=${gid}`,
    `--dbdir=${database}`,
    `--whitelist-clients=${list('clients', lists.clients)}`,
    `--whitelist-recipients=${list('recipients', lists.recipients)}`,
  ];
}

async function launch(args: readonly string[]): Promise<{ child: Background; port: number }> {
  const port = await freePort();
  return { child: await launchOn(port, args), port };
}

async function launchOn(port: number, args: readonly string[]): Promise<Background> {
  const child = start(find('postgrey') ?? 'postgrey', [`--inet=127.0.0.1:${port}`, ...args], {
    env: environment({ TZ: 'UTC' }),
  });
  const answers = async () => {
    try {
      const client = await connect(`inet:127.0.0.1:${port}`);
      // An incomplete request: it is answered, and nothing is remembered of it.
      await client.ask(request({ sender: undefined }));
      client.close();
      return true;
    } catch {
      return undefined;
    }
  };
  try {
    await child.until(answers, 'answer from postgrey');
  } catch (error) {
    await child.kill();
    throw error;
  }
  return child;
}

/** Starts postgrey with `args` beside the switches for its place; the caller stops it. */
export async function postgrey(args: readonly string[] = [], lists: Lists = {}): Promise<Postgrey> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'greyctl-postgrey-'));
  const place = prepare(folder, lists);
  // Another program may take the free port first: then postgrey ends, and a second port is tried.
  const { child, port } = await launch([...place, ...args]).catch(() => launch([...place, ...args]));
  let current = child;
  let earlier = '';
  // SIGTERM is sometimes lost on it; what it answered is in its transaction log, from which it recovers when it starts.
  const end = () => current.kill();
  return {
    endpoint: `inet:127.0.0.1:${port}`,
    port,
    database: path.join(folder, 'db'),
    halt: end,
    log: () => earlier + current.stdout() + current.stderr(),
    async restart(changed) {
      await end();
      earlier += current.stdout() + current.stderr();
      current = await launchOn(port, [...place, ...changed]);
    },
    async stop() {
      await end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
