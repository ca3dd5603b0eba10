/**
 * A wall clock that stands still until a test moves it, for programs started by the test (libfaketime).
 * Monotonic clocks, timers and file times stay real.
 */
import { chmodSync, existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export interface FakeClock {
  /** What a program has to be started with. */
  readonly env: Readonly<Record<string, string>>;
  /** Epoch seconds. */
  readonly now: () => number;
  readonly set: (epochSeconds: number) => void;
  readonly advance: (seconds: number) => void;
  readonly remove: () => void;
}

function library(): string {
  const folders = readdirSync('/usr/lib').map((name) => `/usr/lib/${name}/faketime/libfaketimeMT.so.1`);
  const found = folders.find((file) => existsSync(file));
  if (found === undefined) throw new Error('no libfaketimeMT.so.1 under /usr/lib/*/faketime');
  return found;
}

/** A clock that shows `epochSeconds`, for programs in a time zone of tzdata(5)'s; the caller removes it. */
export function fakeClock(epochSeconds: number, zone = 'UTC'): FakeClock {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'greyctl-clock-'));
  // A program that becomes another user goes on reading it.
  chmodSync(folder, 0o755);
  const file = path.join(folder, 'now');
  let now = epochSeconds;
  const set = (seconds: number) => {
    now = seconds;
    // Replaced in one step: a program must never read half a time.
    writeFileSync(`${file}.new`, `${seconds}\n`);
    renameSync(`${file}.new`, file);
  };
  set(epochSeconds);
  return {
    env: {
      LD_PRELOAD: library(),
      FAKETIME_TIMESTAMP_FILE: file,
      // A moment, whatever clocks on the wall show: at the end of summer time they show an hour twice.
      FAKETIME_FMT: '%s',
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
      TZ: zone,
    },
    now: () => now,
    set,
    advance: (seconds) => {
      set(now + seconds);
    },
    remove: () => {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
