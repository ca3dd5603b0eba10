/**
 * One client of the policy service. Requests are answered in their order; nothing is written that was not asked for, and a client
 * that is silent between requests is left in peace for as long as it likes (Postfix keeps a connection up to 1000 s).
 *
 * Limits: some 20 requests under way (Postfix has one), then nothing more is read or taken apart until half are answered, so that a
 * thousand clients that send without end cost little memory and let others through; a client that does not read its answers is not
 * read from either; a request must be complete 100 s after its first byte (Postfix's own timeout).
 */
import type { Socket } from 'node:net';
import { reasonOf } from '../greylist/failure.js';
import { ProtocolError, RequestParser, type PolicyRequest } from '../policy/parser.js';

const maxUnderWay = 20;
/** What has come is taken apart in pieces of this size: a whole chunk can hold a thousand requests. */
const pieceBytes = 2048;
const requestTimeoutMs = 100_000;
const lingerMs = 5000;

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
  /** What has come and was not taken apart yet. */
  let unread: Buffer = Buffer.alloc(0);
  let underWay = 0;
  /** Nothing that comes from now on counts. */
  let isComplete = false;
  let isFinishing = false;
  /** Why to close once what was asked before is answered. */
  let complaint: string | undefined;
  let previous: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  function broken(why: string): void {
    options.onBroken(why);
    socket.destroy();
  }

  function closeWhenDone(): void {
    if (!isFinishing || underWay > 0 || socket.destroyed) return;
    if (complaint !== undefined) {
      broken(complaint);
      return;
    }
    socket.end();
    // A peer that does not close its side would hold the place for ever.
    setTimeout(() => socket.destroy(), lingerMs).unref();
  }

  function finish(): void {
    isFinishing = true;
    // What still comes is read and dropped: unread it would hide the peer's end.
    socket.resume();
    closeWhenDone();
  }

  function hasRoom(): boolean {
    return underWay < maxUnderWay && !socket.writableNeedDrain;
  }

  /** Goes on with what has come, then with reading, as far as the limits allow. */
  function goOn(): void {
    while (hasRoom() && takePiece());
    if (isFinishing) return;
    if (isComplete && unread.length === 0) finish();
    else if (unread.length === 0 && hasRoom()) socket.resume();
    else socket.pause();
  }

  /** What has come is still answered. */
  function complete(): void {
    isComplete = true;
    goOn();
  }

  function resumeReading(): void {
    if (!socket.writableNeedDrain && underWay < maxUnderWay / 2) goOn();
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
    previous = previous.then(() => reply(answer));
    for (const promise of [answer, previous]) {
      promise.catch((error: unknown) => {
        if (promise === previous && !socket.destroyed) broken(reasonOf(error));
      });
    }
  }

  function watch(hasRequests: boolean): void {
    if (hasRequests || !parser.isInRequest) {
      clearTimeout(timer);
      timer = undefined;
    }
    if (!parser.isInRequest) return;
    timer ??= setTimeout(() => {
      broken('request not completed in time');
    }, requestTimeoutMs).unref();
  }

  function receive(chunk: Buffer): void {
    let requests: readonly PolicyRequest[];
    try {
      requests = parser.push(chunk);
    } catch (error) {
      requests = error instanceof ProtocolError ? error.before : [];
      complaint = reasonOf(error);
    }
    for (const request of options.closeAfterAnswer ? requests.slice(0, 1) : requests) ask(request);
    if (complaint !== undefined) finish();
    watch(requests.length > 0);
  }

  /** False when there is nothing more to take. */
  function takePiece(): boolean {
    if (unread.length === 0 || isFinishing) return false;
    const piece = unread.subarray(0, pieceBytes);
    unread = unread.subarray(pieceBytes);
    receive(piece);
    return true;
  }

  socket.on('data', (chunk) => {
    if (isComplete || isFinishing) return;
    unread = unread.length === 0 ? chunk : Buffer.concat([unread, chunk]);
    goOn();
  });
  socket.on('drain', resumeReading);
  socket.on('end', complete);
  socket.on('close', () => {
    clearTimeout(timer);
  });
  // Peers come and go; whatever went wrong, 'close' follows.
  socket.on('error', () => undefined);
  return { finish: complete };
}
