import { duration, size } from './format.js';

/** A line on standard error that tells how far reading has come; nothing where that is no terminal. */
export interface Progress {
  show(bytes: number): void;
  /** Takes the line away. */
  clear(): void;
}

const intervalMs = 200;

/** `totalBytes` as the files are on disk, NaN when not known; `clockMs` is any clock in milliseconds. */
export function createProgress(
  stream: NodeJS.WriteStream,
  totalBytes: number,
  clockMs: () => number,
): Progress {
  const begin = clockMs();
  let shownAt = begin;
  return {
    show: (bytes) => {
      const now = clockMs();
      if (!stream.isTTY || now - shownAt < intervalMs) return;
      shownAt = now;
      const rate = bytes / ((now - begin) / 1000);
      // Of packed files more comes out than goes in: then there is no telling how much is left.
      const left = bytes <= totalBytes ? `, ${duration((totalBytes - bytes) / rate)} left` : '';
      stream.write(`\r\u001b[K${size(bytes)} read, ${size(rate)}/s${left}`);
    },
    clear: () => {
      if (stream.isTTY && shownAt !== begin) stream.write('\r\u001b[K');
    },
  };
}
