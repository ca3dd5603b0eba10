/** The worker thread that owns the database: takes calls from client.ts one by one and sends back what they gave. */
import { parentPort, workerData } from 'node:worker_threads';
import { codeOf, Failure } from '../../greylist/failure.js';
import { SqliteDatabase } from './database.js';

/** The methods that may be called from the other thread. */
export type Method = Exclude<keyof SqliteDatabase, 'close'>;

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

/** Errors after which the connection is not worth keeping; the next call opens the file anew. */
const lostConnection = /^SQLITE_(IOERR|CORRUPT|NOTADB|CANTOPEN|READONLY)/;

function workerError(error: unknown): WorkerError {
  return {
    message: error instanceof Error ? error.message : String(error),
    code: codeOf(error),
    hint: error instanceof Failure ? error.hint : undefined,
  };
}

function serve(port: NonNullable<typeof parentPort>, location: string): void {
  let database: SqliteDatabase | undefined;
  const perform = (call: Call): unknown => {
    if (call.method === 'close') {
      database?.close();
      database = undefined;
      return undefined;
    }
    database ??= new SqliteDatabase(location);
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
      if (lostConnection.test(codeOf(error) ?? '')) {
        database?.close();
        database = undefined;
      }
    }
    port.postMessage(answer);
    if (call.method === 'close') port.close();
  });
}

if (parentPort) serve(parentPort, String(workerData));
