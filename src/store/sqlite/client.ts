import { once } from 'node:events';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { Failure } from '../../greylist/failure.js';
import type { CountsSource, Merged, Store } from '../../greylist/store.js';
import type { Durability, SqliteDatabase } from './database.js';
import type { Checked, Vacuumed } from './maintenance.js';
import { packAttempts, unpackDecisions } from './packing.js';
import type { SalvagedClients, SalvagedEntries } from './salvage.js';
import type { Answer, Call, Method, Opening, WorkerError } from './worker.js';

interface Explanation {
  readonly why: string;
  /** What to do, and to type where that is a command. */
  readonly hint: (location: string) => string;
}

const roomHint = (location: string) => `df -h ${path.dirname(location)} shows how much room there is`;

const explanations: Readonly<Record<string, Explanation>> = {
  SQLITE_BUSY: {
    why: 'it is locked by another process',
    hint: (location) => `fuser -v ${location} shows which`,
  },
  SQLITE_FULL: { why: 'the disk is full', hint: roomHint },
  SQLITE_IOERR_SHMSIZE: { why: 'the disk is full, or does not take what is written', hint: roomHint },
  SQLITE_IOERR: {
    why: 'the disk does not give or take what is read or written',
    hint: () => 'dmesg | tail shows what the disk says',
  },
  SQLITE_NOTADB: { why: 'it is not a SQLite database', hint: () => 'name another file with --db' },
  SQLITE_CORRUPT: {
    why: 'it is damaged',
    hint: (location) =>
      `greyctl db export FILE --db=${location} saves what can be read; then move it away, and db import FILE, or restore a backup`,
  },
  SQLITE_CANTOPEN: {
    why: 'it cannot be opened',
    hint: (location) =>
      `ls -ld ${path.dirname(location)} shows whether the folder is there and who may write to it`,
  },
  SQLITE_CANTOPEN_ISDIR: {
    why: 'it is a directory',
    hint: () => 'name a file with --db, or a folder with --dbdir',
  },
  SQLITE_READONLY: {
    why: 'it may not be written',
    hint: (location) => `ls -l ${location}* shows who may write it, and the folder must be writable, too`,
  },
};

function failure(location: string, error: WorkerError): Failure {
  if (error.code === undefined)
    return new Failure(error.message, { ...(error.hint && { hint: error.hint }) });
  const known = explanations[error.code] ?? explanations[error.code.split('_').slice(0, 2).join('_')];
  const isGeneral = known === undefined || error.code.startsWith('SQLITE_IOERR');
  const why = [known?.why ?? error.message, ...(isGeneral ? [`(${error.code})`] : [])].join(' ');
  return new Failure(`cannot use the database ${location}: ${why}`, {
    ...(known && { hint: known.hint(location) }),
  });
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: Failure) => void;
}

/** A store in a file, with what is done to the file as a whole. */
export interface SqliteStore extends Store, CountsSource {
  /** Writes a copy of one moment into `file`, which must be empty or not there. */
  backup(file: string): Promise<void>;
  /** Merges all that another file of greyctl's holds, hashes as they are; all or nothing, in constant memory. */
  mergeFrom(file: string): Promise<Merged>;
  /** Like `entries`, of a damaged file, too: goes on behind what cannot be read. */
  salvageEntries(limit: number, from?: string): Promise<SalvagedEntries>;
  /** Like `clients`, of a damaged file, too. */
  salvageClients(limit: number, from?: string): Promise<SalvagedClients>;
  /** Looks at every page and index. */
  check(): Promise<Checked>;
  /** Gives up to `pages` unused pages back to the file system. */
  vacuum(pages: number): Promise<Vacuumed>;
}

/**
 * Opens the SQLite database at `location` in a worker thread of its own, creating the file where there is none (its folder must
 * exist). Rejects with a Failure. A worker that dies is replaced at the next call; what it had been asked is rejected.
 */
export async function openSqlite(location: string, durability: Durability = 'normal'): Promise<SqliteStore> {
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  let worker: Worker | undefined;

  function start(): Worker {
    const started = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: { location, durability } satisfies Opening,
    });
    started.on('message', (answer: Answer) => {
      const caller = waiting.get(answer.id);
      waiting.delete(answer.id);
      if ('error' in answer) caller?.reject(failure(location, answer.error));
      else caller?.resolve(answer.result);
    });
    let reason = 'its thread ended';
    started.on('error', (error) => {
      reason = error instanceof Error ? error.message : String(error);
    });
    started.on('exit', () => {
      if (worker === started) worker = undefined;
      for (const caller of waiting.values()) {
        caller.reject(new Failure(`cannot use the database ${location}: ${reason}`));
      }
      waiting.clear();
    });
    return started;
  }

  let isClosed = false;
  function send(method: Call['method'], args: readonly unknown[]): Promise<unknown> {
    if (isClosed) return Promise.reject(new Failure(`the database ${location} is closed`));
    worker ??= start();
    lastId += 1;
    const call: Call = { id: lastId, method, args };
    worker.postMessage(call);
    return new Promise((resolve, reject) => waiting.set(call.id, { resolve, reject }));
  }

  function proxy<M extends Method>(method: M) {
    return (...args: Parameters<SqliteDatabase[M]>) =>
      // The worker answers with what the method of that name returned.
      send(method, args) as Promise<ReturnType<SqliteDatabase[M]>>;
  }

  await send('open', []).catch(async (error: unknown) => {
    await worker?.terminate();
    throw error;
  });
  const settlePacked = proxy('settlePacked');
  return {
    settle: async (attempts) => unpackDecisions(await settlePacked(packAttempts(attempts))),
    recall: proxy('recall'),
    entries: proxy('entries'),
    sorted: proxy('sorted'),
    remove: proxy('remove'),
    release: proxy('release'),
    windows: proxy('windows'),
    openWindow: proxy('openWindow'),
    closeWindow: proxy('closeWindow'),
    forgetClient: proxy('forgetClient'),
    clients: proxy('clients'),
    merge: proxy('merge'),
    purge: proxy('purge'),
    tallies: proxy('tallies'),
    delays: proxy('delays'),
    addCounts: proxy('addCounts'),
    takeCounts: proxy('takeCounts'),
    countsMoved: proxy('countsMoved'),
    waiting: proxy('waiting'),
    forgetTallies: proxy('forgetTallies'),
    listed: proxy('listed'),
    listedRevision: proxy('listedRevision'),
    addListed: proxy('addListed'),
    removeListed: proxy('removeListed'),
    info: proxy('info'),
    backup: proxy('backup'),
    hourlyDelays: proxy('hourlyDelays'),
    mergeFrom: proxy('mergeFrom'),
    salvageEntries: proxy('salvageEntries'),
    salvageClients: proxy('salvageClients'),
    check: proxy('check'),
    vacuum: proxy('vacuum'),
    close: async () => {
      if (!worker) return;
      const ended = once(worker, 'exit');
      const closed = send('close', []);
      isClosed = true;
      await closed;
      await ended;
    },
  };
}
