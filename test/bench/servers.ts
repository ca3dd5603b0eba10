/** The policy servers that are compared: how each is started on a folder of its own, and made to know triplets. */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { repositoryRoot, run } from '../support/greyctl.js';
import { find, packageOf } from '../support/programs.js';
import { knownTriplets } from './loaders.js';
import { askedBy } from './question.js';
import { ofServers, pinned } from './processors.js';
import type { Program } from './running.js';

export interface Place {
  /** Its database and lists; it owns it. */
  readonly folder: string;
  /** A TCP port of 127.0.0.1, or the path of a unix socket. */
  readonly listen: number | string;
}

export interface Contender {
  readonly name: string;
  /** Why it cannot take part, in words; undefined when it can. */
  readonly missing: () => Promise<string | undefined>;
  /** What is started. */
  readonly program: (place: Place) => Program;
  /** Makes the folder ready for a first start. */
  readonly prepare: (folder: string) => void;
  /** How triplets become known: by asking twice with the delay between, by a command of its own, or not at all. */
  readonly learns: 'by asking' | 'not at all' | ((folder: string) => void);
}

/** Short, so that the known triplets are soon known; new ones are deferred all the same. */
export const delaySeconds = 1;

/** As root, servers that insist on a user of their own get it; otherwise they stay who runs the bench. */
function ownerOf(user: string): { uid: number; gid: number } {
  const { uid, gid } = os.userInfo();
  if (uid !== 0) return { uid, gid };
  const id = (flag: string) => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

function giveTo(user: string, ...places: readonly string[]): void {
  const { uid, gid } = ownerOf(user);
  for (const place of places) chownSync(place, uid, gid);
}

function emptyFile(file: string): string {
  writeFileSync(file, '');
  chmodSync(file, 0o644);
  return file;
}

/** The option and its argument that make a program of `names` listen there. */
function listenOption(listen: number | string): string {
  return typeof listen === 'number' ? `--inet=127.0.0.1:${listen}` : `--unix=${listen}`;
}

/** A server that decides nothing. */
export const nullServer: Contender = {
  name: 'null',
  missing: () => Promise.resolve(undefined),
  program: ({ listen }) => {
    const args = [path.join(import.meta.dirname, 'null-server.js'), String(listen)];
    return pinned({ program: process.execPath, args }, ofServers);
  },
  prepare: () => undefined,
  learns: 'not at all',
};

/** greyctl with further switches. */
export function greyctl(name: string, switches: readonly string[] = []): Contender {
  return {
    name,
    missing: async () => {
      const { stdout } = await run(['serve', '--help']);
      const unknown = switches.find((text) => !stdout.includes(text.replace(/=.*/, '')));
      return unknown && `greyctl does not know ${unknown} yet`;
    },
    program: ({ folder, listen }) => ({
      program: process.execPath,
      args: [
        ...[path.join(repositoryRoot, 'bin/greyctl.js'), 'serve', `--db=${folder}/greyctl.db`],
        ...[listenOption(listen), `--delay=${delaySeconds}`],
        ...['clients', 'recipients', 'senders'].map((kind) => `--whitelist-${kind}=${folder}/none.local`),
        ...switches,
      ],
    }),
    prepare: () => undefined,
    learns: 'by asking',
  };
}

export const postgreyServer: Contender = {
  name: 'postgrey',
  missing: () =>
    Promise.resolve(find('postgrey') ? undefined : `not installed: apt-get install ${packageOf('postgrey')}`),
  program: ({ folder, listen }) => {
    const { uid, gid } = ownerOf('postgrey');
    const args = [
      ...[listenOption(listen), `--user=${uid}`, `--group=${gid}`, `--dbdir=${folder}/db`],
      ...[`--delay=${delaySeconds}`, `--whitelist-clients=${folder}/clients`],
      `--whitelist-recipients=${folder}/recipients`,
    ];
    return pinned({ program: find('postgrey') ?? 'postgrey', args }, ofServers);
  },
  prepare: (folder) => {
    mkdirSync(path.join(folder, 'db'));
    giveTo('postgrey', folder, path.join(folder, 'db'));
    for (const name of ['clients', 'recipients']) emptyFile(path.join(folder, name));
  },
  learns: 'by asking',
};

const sqlgreyLists = [
  'clients_ip_whitelist',
  'clients_fqdn_whitelist',
  'smtp_server.regexp',
  'dyn_fqdn.regexp',
  'discrimination.regexp',
] as const;

/** Its delay is whole minutes: what it is to know is written into its database, which it makes at its first start. */
function teachSqlgrey(folder: string): void {
  const db = new Database(path.join(folder, 'sqlgrey.db'));
  const insert = db.prepare(
    `INSERT INTO from_awl (sender_name, sender_domain, src, first_seen, last_seen)
     VALUES (?, ?, ?, datetime('now', 'localtime'), datetime('now', 'localtime'))`,
  );
  db.transaction(() => {
    for (let number = 0; number < knownTriplets; number += 1) {
      const { sender, clientAddress } = askedBy(number);
      const [name = '', domain = ''] = sender.split('@');
      insert.run(name, domain, clientAddress.replace(/\.\d+$/, ''));
    }
  })();
  db.close();
}

function hasPerlSqlite(): boolean {
  try {
    execFileSync('perl', ['-MDBD::SQLite', '-e', '1'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export const sqlgreyServer: Contender = {
  name: 'sqlgrey',
  missing: () => {
    if (!find('sqlgrey'))
      return Promise.resolve(`not installed: apt-get install ${packageOf('sqlgrey')} libdbd-sqlite3-perl`);
    return Promise.resolve(
      hasPerlSqlite() ? undefined : 'not installed: apt-get install libdbd-sqlite3-perl',
    );
  },
  program: ({ folder, listen }) => {
    const { uid, gid } = ownerOf('sqlgrey');
    const settings = {
      user: uid,
      group: gid,
      ...(typeof listen === 'number' ? { inet: `127.0.0.1:${listen}` } : { unix: listen }),
      conf_dir: folder,
      db_type: 'SQLite',
      db_name: `${folder}/sqlgrey.db`,
      greymethod: 'classc',
      admin_mail: '',
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
    writeFileSync(path.join(folder, 'sqlgrey.conf'), lines.join(''));
    return pinned(
      { program: find('sqlgrey') ?? 'sqlgrey', args: ['-f', `${folder}/sqlgrey.conf`] },
      ofServers,
    );
  },
  prepare: (folder) => {
    for (const name of sqlgreyLists) emptyFile(path.join(folder, name));
    giveTo('sqlgrey', folder);
  },
  learns: teachSqlgrey,
};
