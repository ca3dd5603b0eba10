import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Failure } from '../../greylist/failure.js';
import type { Merged, Store } from '../../greylist/store.js';
import type { Durability, SqliteDatabase } from './database.js';
import type { Checked, Vacuumed } from './maintenance.js';
import { packAttempts, unpackDecisions } from './packing.js';
import type { Answer, Call, Method, Opening, WorkerError } from './worker.js';

const explanations: Readonly<Record<string, { why: string; hint?: string }>> = {
  SQLITE_BUSY: { why: 'it is locked by another process' },
  SQLITE_FULL: { why: 'the disk is full', hint: 'make room on the disk' },
  SQLITE_NOTADB: { why: 'it is not a SQLite database', hint: 'name another file with --db' },
  SQLITE_CORRUPT: {
    why: 'it is damaged',
    hint: 'restore a backup, or move the file away and start with an empty one',
  },
  SQLITE_CANTOPEN: {
    why: 'it cannot be opened',
    hint: 'check that the folder exists and who may write to it',
  },
  SQLITE_CANTOPEN_ISDIR: {
    why: 'it is a directory',
    hint: 'name a file with --db, or a folder with --dbdir',
  },
  SQLITE_READONLY: {
    why: 'it may not be written',
    hint: 'check the owner and mode of the file and its folder',
  },
};

function failure(location: string, error: WorkerError): Failure {
  if (error.code === undefined)
    return new Failure(error.message, { ...(error.hint && { hint: error.hint }) });
  const known = explanations[error.code] ?? explanations[error.code.split('_').slice(0, 2).join('_')];
  const why = known ? known.why : `${error.message} (${error.code})`;
  return new Failure(`cannot use the database ${location}: ${why}`, {
    ...(known?.hint && { hint: known.hint }),
  });
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: Failure) => void;
}

/** A store in a file, with what is done to the file as a whole. */
export interface SqliteStore extends Store {
  /** Writes a copy of one moment into `file`, which must be empty or not there. */
  backup(file: string): Promise<void>;
  /** Merges all that another file of greyctl's holds, hashes as they are; all or nothing, in constant memory. */
  mergeFrom(file: string): Promise<Merged>;
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
