/**
 * One client of the policy service. Requests are answered in their order; nothing is written that was not asked for, and a client
 * that is silent between requests is left in peace for as long as it likes (Postfix keeps a connection up to 1000 s).
 *
 * Limits: 100 requests under way, then reading stops until half are answered; a client that does not read its answers is not read
 * from either; a request must be complete 100 s after its first byte (Postfix's own timeout).
 */
import type { Socket } from 'node:net';
import { reasonOf } from '../greylist/failure.js';
import { RequestParser, type PolicyRequest } from '../policy/parser.js';

const maxUnderWay = 100;
const requestTimeoutMs = 100_000;

export interface ConnectionOptions {
  readonly answer: (request: PolicyRequest) => Promise<string>;
  /** Hears why a connection was closed by this side, in words. */
  readonly onBroken: (why: string) => void;
  /** Close after one answer, as Exim wants it. */
  readonly closeAfterAnswer: boolean;
}

export interface Connection {
  /** Answers what was asked completely, then closes. */
  finish(): void;
}

/** Serves `socket` until either side closes it. */
export function serveConnection(socket: Socket, options: ConnectionOptions): Connection {
  const parser = new RequestParser();
  let underWay = 0;
  let isFinishing = false;
  let previous: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  function broken(why: string): void {
    options.onBroken(why);
    socket.destroy();
  }

  function closeWhenDone(): void {
    if (isFinishing && underWay === 0) socket.end();
  }

  function finish(): void {
    isFinishing = true;
    socket.pause();
    closeWhenDone();
  }

  function resumeReading(): void {
    if (!isFinishing && !socket.writableNeedDrain && underWay < maxUnderWay / 2) socket.resume();
  }

  async function reply(answer: Promise<string>): Promise<void> {
    const action = await answer;
    underWay -= 1;
    if (socket.destroyed) return;
    socket.write(`action=${action}\n\n`);
    if (options.closeAfterAnswer) finish();
    else if (isFinishing) closeWhenDone();
    else resumeReading();
  }

  function ask(request: PolicyRequest): void {
    underWay += 1;
    const answer = options.answer(request);
    // Decided side by side, answered in order.
    previous = Promise.all([answer, previous]).then(() => reply(answer));
    previous.catch((error: unknown) => {
      broken(reasonOf(error));
    });
  }

  function watch(): void {
    if (!parser.isInRequest) {
      clearTimeout(timer);
      timer = undefined;
    } else {
      timer ??= setTimeout(() => {
        broken('request not completed in time');
      }, requestTimeoutMs).unref();
    }
  }

  socket.on('data', (chunk) => {
    if (isFinishing) return;
    let requests: PolicyRequest[];
    try {
      requests = parser.push(chunk);
    } catch (error) {
      broken(reasonOf(error));
      return;
    }
    for (const request of options.closeAfterAnswer ? requests.slice(0, 1) : requests) ask(request);
    if (underWay > maxUnderWay || socket.writableNeedDrain) socket.pause();
    watch();
  });
  socket.on('drain', resumeReading);
  socket.on('end', finish);
  socket.on('close', () => {
    clearTimeout(timer);
  });
  // Peers come and go; whatever went wrong, 'close' follows.
  socket.on('error', () => undefined);
  return { finish };
}
