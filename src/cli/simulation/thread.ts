/** The thread that reads a log: gives its attempts to the thread that began it, and does not run far ahead of it. */
import { on } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import type { LoggedAttempt } from '../../maillog/attempts.js';
import { pack } from '../../maillog/packed.js';
import { readAttempts } from '../../maillog/read.js';
import { readOptions, type ThreadMessage, type ThreadTask } from './reading.js';

/** Attempts given at once: enough that giving costs little, few enough to be gone before a garbage collection copies them. */
const batchAttempts = 250;
/** Batches given that may wait to be taken. */
const mostWaiting = 16;

async function run(port: NonNullable<typeof parentPort>, { log, now }: ThreadTask): Promise<void> {
  const say = (message: ThreadMessage) => {
    port.postMessage(message);
  };
  const answers = on(port, 'message');
  const reading = readAttempts(log.names, readOptions(log, now));
  let attempts: LoggedAttempt[] = [];
  let given = 0;
  for await (const batch of reading.batches) {
    attempts = attempts.length === 0 ? batch : attempts.concat(batch);
    if (attempts.length < batchAttempts) continue;
    say({ type: 'batch', attempts: pack(attempts), bytes: reading.counts.bytes });
    attempts = [];
    given += 1;
    if (given > mostWaiting) await answers.next();
  }
  say({ type: 'batch', attempts: pack(attempts), bytes: reading.counts.bytes });
  say({ type: 'end', counts: reading.counts, problems: reading.problems });
  port.close();
}

// Whoever began this thread gave it a port and a task.
if (parentPort) await run(parentPort, workerData as ThreadTask);
