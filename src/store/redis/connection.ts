/**
 * A connection that is kept up. Whoever asks is answered, or told why not, within `timeoutMs`: while there is no link at once. A link
 * that did not answer in time, or leads to a server that may not be written, is given up, and a new one is made after a pause that grows
 * and differs from server to server, so that a Redis that comes back is not met by all of them at once.
 */
import { ErrorReply } from 'redis';
import { Failure, reasonOf } from '../../greylist/failure.js';
import { connect, refusal, type Link, type LinkOptions } from './link.js';

const firstPauseMs = 100;
const longestPauseMs = 2000;

/** Answers of a server that is not the one to ask: the next link may lead to another. */
const wrongServer = /^(READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|NOREPLICAS)\b/;

/** Redis before 7.0 puts what a command in a script has met behind words of its own. */
function answerIn(message: string): string {
  return message.replace(/^ERR Error running script .*: -(?=[A-Z]+ )/, '');
}

const explanations: readonly (readonly [pattern: RegExp, why: string, hint?: string])[] = [
  [
    /^READONLY/,
    'it may not be written: it is a replica',
    'name the master with --db, or use redis+sentinel://',
  ],
  [/^OOM/, 'its memory is full (maxmemory)', 'redis-cli config set maxmemory BYTES'],
  [
    /^WRONGTYPE (\S+:\{.*)/,
    'what greyctl did not write is in the key $1',
    'look at it with redis-cli, and remove it',
  ],
  [/^WRONGTYPE/, 'what greyctl did not write is in one of its keys'],
  [/^LOADING/, 'it is still loading its data'],
  [/^MISCONF/, 'it cannot save its data to disk, and takes no more', 'redis-cli info persistence'],
  [
    /^(the Sentinel \S+ refuses .*)/,
    '$1',
    'put the password of the Sentinels in the second line of the file that --db-password-file names',
  ],
  [
    refusal,
    'it refuses this user or password',
    'check the password in --db, --db-password-file or GREYCTL_DB_PASSWORD',
  ],
  [/^CLUSTERDOWN/, 'the cluster is down'],
];

/** What a problem with the database at `location` is called; passes a Failure on. */
export function failureOf(location: string, error: unknown): Failure {
  if (error instanceof Failure) return error;
  const words = answerIn(reasonOf(error)) || (error instanceof Error ? error.name : 'no reason given');
  const [pattern, text = words, hint] = explanations.find(([known]) => known.test(words)) ?? [];
  const why = text.replace('$1', pattern?.exec(words)?.[1] ?? '');
  return new Failure(`cannot use the database ${location}: ${why}`, {
    cause: error,
    ...(hint !== undefined && { hint }),
  });
}

export interface ConnectionOptions extends LinkOptions {
  /** How messages call the database; without a password. */
  readonly location: string;
  /** The longest that `use` takes. */
  readonly timeoutMs: number;
  /** Looks at a new link before it is used; one for which it rejects is not. */
  readonly inspect: (link: Link) => Promise<void>;
}

export interface Connection {
  /** Works on the link there is; rejects with a Failure. */
  use<T>(work: (link: Link) => Promise<T>): Promise<T>;
  /** Resolves when the first attempt to connect has succeeded, rejects with a Failure when it has not. */
  ready(): Promise<void>;
  close(): void;
}

/** Connects, and keeps doing so until it is closed. */
export function keepConnected(options: ConnectionOptions): Connection {
  const { location, timeoutMs } = options;
  let link: Link | undefined;
  let problem: unknown = new Failure(`cannot use the database ${location}: it is not connected yet`);
  let isClosed = false;
  let pauseMs = firstPauseMs;
  let timer: NodeJS.Timeout | undefined;

  function again(): void {
    if (isClosed) return;
    const jittered = pauseMs * (0.5 + Math.random());
    pauseMs = Math.min(longestPauseMs, pauseMs * 2);
    timer = setTimeout(() => void attempt(), jittered).unref();
  }

  function drop(lost: Link, error: unknown): void {
    if (link !== lost) return;
    link = undefined;
    problem = error;
    lost.destroy();
    again();
  }

  async function attempt(): Promise<void> {
    let made: Link | undefined;
    let early: unknown;
    try {
      made = await connect(options, (error) => {
        early = error;
        if (made) drop(made, error);
      });
      await inTime(options.inspect(made), () => undefined);
      if (early !== undefined) throw failureOf(location, early);
      if (isClosed) made.destroy();
      else link = made;
    } catch (error) {
      made?.destroy();
      problem = error;
      again();
    }
  }

  function late(): Failure {
    return new Failure(`cannot use the database ${location}: it has not answered for ${timeoutMs / 1000} s`);
  }

  async function inTime<T>(work: Promise<T>, onLate: (error: Failure) => void): Promise<T> {
    let clock: NodeJS.Timeout | undefined;
    const over = new Promise<never>((_, reject) => {
      clock = setTimeout(() => {
        const error = late();
        reject(error);
        onLate(error);
      }, timeoutMs);
    });
    try {
      return await Promise.race([work, over]);
    } finally {
      clearTimeout(clock);
    }
  }

  async function use<T>(work: (link: Link) => Promise<T>): Promise<T> {
    const current = link;
    if (isClosed) throw new Failure(`the database ${location} is closed`);
    if (!current) throw failureOf(location, problem);
    try {
      const result = await inTime(work(current), (error) => {
        drop(current, error);
      });
      pauseMs = firstPauseMs;
      return result;
    } catch (error) {
      const isAnswer = error instanceof ErrorReply;
      if (isAnswer && wrongServer.test(answerIn(error.message))) drop(current, error);
      // Where another's work lost the link, that is the reason.
      throw failureOf(location, isAnswer || link === current ? error : problem);
    }
  }

  async function ready(): Promise<void> {
    await first;
    if (!link) throw failureOf(location, problem);
  }

  const first = attempt();
  return {
    use,
    ready,
    close: () => {
      isClosed = true;
      clearTimeout(timer);
      link?.destroy();
      link = undefined;
    },
  };
}
