/**
 * Where log lines go. Writing never waits: a reader that does not read (a full pipe) costs lines, not answers, and when it reads
 * again it is told how many were lost.
 */
import { spawn } from 'node:child_process';
import { write } from 'node:fs';
import type { Writable } from 'node:stream';
import { codeOf } from '../greylist/failure.js';
import { severities, type Log, type Severity } from './log.js';

/** Text that may wait for a reader. */
const maxWaitingBytes = 1024 * 1024;
/** Lines are gathered for so long and written together: a write for each would cost as much as a decision. */
const gatherMs = 10;
/** How long until a descriptor that is full (O_NONBLOCK) is tried again. */
const retryMs = 50;

export interface LogSink {
  readonly log: Log;
  /** Resolves when all is written, or after `graceMs`. */
  flush(graceMs: number): Promise<void>;
}

/** Takes text and calls back when it is written or lost. */
type Write = (text: string, written: () => void) => void;

function createSink(writeText: Write, format: (severity: Severity, line: string) => string): LogSink {
  let waiting = '';
  let lost = 0;
  let isWriting = false;
  const idle: (() => void)[] = [];

  function next(): void {
    if (waiting === '') {
      isWriting = false;
      for (const resolve of idle.splice(0)) resolve();
      return;
    }
    const text = waiting;
    waiting = lost > 0 ? format('warning', `${lost} log lines were lost: nobody read them`) : '';
    lost = 0;
    writeText(text, gather);
  }

  function gather(): void {
    isWriting = true;
    setTimeout(next, gatherMs);
  }

  return {
    log: (severity, line) => {
      if (waiting.length > maxWaitingBytes) {
        lost += 1;
        return;
      }
      waiting += format(severity, line);
      if (!isWriting) gather();
    },
    flush: (graceMs) =>
      new Promise((resolve) => {
        if (!isWriting) {
          resolve();
          return;
        }
        idle.push(resolve);
        setTimeout(resolve, graceMs).unref();
      }),
  };
}

/**
 * Lines to a file descriptor; with `<N>` in front where `withPriority` is set, as systemd's journal reads it (sd-daemon(3)).
 * The write runs in the thread pool, because Node writes to a pipe while everything else waits.
 */
export function descriptorSink(fd: number, withPriority: boolean): LogSink {
  const writeAll = (text: Buffer, written: () => void): void => {
    write(fd, text, (error, count) => {
      if (codeOf(error) === 'EAGAIN') setTimeout(writeAll, retryMs, text, written);
      else if (error || count >= text.length) written();
      else writeAll(text.subarray(count), written);
    });
  };
  return createSink(
    (text, written) => {
      writeAll(Buffer.from(text), written);
    },
    (severity, line) => `${withPriority ? `<${severities[severity]}>` : ''}${line}\n`,
  );
}

/**
 * Lines to syslog through logger(1), as Node has no datagram sockets to /dev/log. A logger that ends is started anew with the next
 * line.
 */
export function syslogSink(facility: string, pid: number): LogSink {
  let input: Writable | undefined;
  function start(): Writable | undefined {
    const args = ['--prio-prefix', '--tag', 'greyctl', `--id=${pid}`, '--priority', `${facility}.info`];
    const child = spawn('logger', args, { stdio: ['pipe', 'ignore', 'ignore'] });
    // Without file descriptors left there is no stdin, whatever the types say.
    const stdin = child.stdin as Writable | undefined;
    const forget = () => {
      if (input === stdin) input = undefined;
    };
    child.on('error', forget);
    child.on('exit', forget);
    stdin?.on('error', forget);
    return stdin;
  }
  return createSink(
    (text, written) => {
      input ??= start();
      if (!input) {
        written();
        return;
      }
      input.write(text, () => {
        written();
      });
    },
    (severity, line) => `<${severities[severity]}>${line}\n`,
  );
}
