/** The worker thread that owns the database: takes calls from client.ts one by one and sends back what they gave. */
import { parentPort, workerData } from 'node:worker_threads';
import { codeOf, Failure } from '../../greylist/failure.js';
import { SqliteDatabase, type Durability } from './database.js';
import { createFile, currentFile, type FileIdentity } from './file.js';

/** The methods that may be called from the other thread. */
export type Method = Exclude<keyof SqliteDatabase, 'close'>;

/** What is opened, and how. */
export interface Opening {
  readonly location: string;
  readonly durability: Durability;
}

export interface Call {
  readonly id: number;
  readonly method: Method | 'open' | 'close';
  readonly args: readonly unknown[];
}

export interface WorkerError {
  readonly message: string;
  readonly code: string | undefined;
  readonly hint: string | undefined;
}

export type Answer =
  { readonly id: number; readonly result: unknown } | { readonly id: number; readonly error: WorkerError };

/** Errors after which the connection is kept: they pass. After any other the next call opens the file anew. */
const passing = /^SQLITE_(BUSY|LOCKED|FULL|CONSTRAINT)/;

/** How often the file is looked at, whether it is still the one that is open. */
const lookMs = 1000;

function workerError(error: unknown): WorkerError {
  return {
    message: error instanceof Error ? error.message : String(error),
    code: codeOf(error),
    hint: error instanceof Failure ? error.hint : undefined,
  };
}

function createConnection({ location, durability }: Opening) {
  let database: SqliteDatabase | undefined;
  let file: FileIdentity | undefined;
  let openings = 0;
  let lookedAt = 0;

  function close(): void {
    database?.close();
    database = undefined;
  }

  /** SQLite would write on into a file that was deleted or replaced, where nobody finds it again. */
  function look(): void {
    const now = performance.now();
    if (!database || now - lookedAt < lookMs) return;
    lookedAt = now;
    if (currentFile(location) === file) return;
    close();
    throw new Failure(
      `the database ${location} was deleted or replaced; what is there now is used from here on`,
    );
  }

  return {
    close,
    open: (): SqliteDatabase => {
      look();
      if (!database) {
        file = createFile(location);
        openings += 1;
        database = new SqliteDatabase(location, durability, openings);
      }
      return database;
    },
    failed: (error: unknown) => {
      const code = codeOf(error);
      if (code !== undefined && !passing.test(code)) close();
    },
  };
}

function serve(port: NonNullable<typeof parentPort>, opening: Opening): void {
  const connection = createConnection(opening);
  const perform = (call: Call): unknown => {
    if (call.method === 'close') {
      connection.close();
      return undefined;
    }
    const database = connection.open();
    if (call.method === 'open') return undefined;
    // The client types each call by the method it names; across threads only the shape is left.
    return (database as unknown as Record<Method, (...args: readonly unknown[]) => unknown>)[call.method](
      ...call.args,
    );
  };
  port.on('message', (call: Call) => {
    let answer: Answer;
    try {
      answer = { id: call.id, result: perform(call) };
    } catch (error) {
      answer = { id: call.id, error: workerError(error) };
      connection.failed(error);
    }
    port.postMessage(answer);
    if (call.method === 'close') port.close();
  });
}

// What client.ts starts the thread with.
if (parentPort) serve(parentPort, workerData as Opening);
