import { statfsSync } from 'node:fs';
import path from 'node:path';
import type { Values } from '../../config/options.js';
import { Failure } from '../../greylist/failure.js';
import type { StoreInfo } from '../../greylist/store.js';
import { count, duration, localTime, size } from '../../output/format.js';
import { ok, type Finding } from '../../postfix/finding.js';
import { databaseLocation, hasDatabase, isShared, withStore, type Process } from '../context.js';
import { databaseRights } from './rights.js';

const mebibyte = 1024 * 1024;

/** The write-ahead log and a vacuum need room beside the database. */
const scarceBytes = 100 * mebibyte;

/** Clocks of one host differ by no more. */
const clockSlackSeconds = 60;

function disk(location: string, sizeBytes: number): Finding {
  const check = 'disk';
  const { bavail, bsize } = statfsSync(path.dirname(location));
  const freeBytes = bavail * bsize;
  const text = `${size(freeBytes)} free beside the database`;
  if (freeBytes >= Math.max(scarceBytes, sizeBytes / 2)) return ok(check, text);
  return {
    check,
    severity: freeBytes < scarceBytes / 10 ? 'problem' : 'warning',
    what: `only ${text}`,
    why: 'When the disk is full nothing can be remembered: all mail passes.',
    remedy: `df -h ${path.dirname(location)}`,
  };
}

/** How the server of a shared database is set. */
async function memory(values: Values, outside: Process): Promise<Finding[]> {
  const { openSharedStore } = await import('../shared.js');
  const store = await openSharedStore(values, outside, false);
  try {
    const { problems } = await store.check();
    return problems.map((what) => ({
      check: 'database',
      severity: 'warning',
      what,
      why: 'What Redis loses is greylisted anew.',
      remedy: 'SEVERAL MX HOSTS in greyctl(8)',
    }));
  } finally {
    await store.close();
  }
}

function clock({ newestLastSeen }: StoreInfo, now: number): Finding {
  const check = 'clock';
  const ahead = (newestLastSeen ?? now) - now;
  if (ahead <= clockSlackSeconds) return ok(check, 'the database holds no time in the future');
  return {
    check,
    severity: 'warning',
    what: `the database was used at ${localTime(now + ahead)}, ${duration(ahead)} in the future`,
    why: 'The clock was or is wrong: what was seen then is forgotten too late.',
    remedy: 'timedatectl, and set the clock right',
  };
}

/** Does the database open, is there room for it, and does it agree with the clock? */
export async function database(values: Values, outside: Process): Promise<Finding[]> {
  const check = 'database';
  const location = databaseLocation(values, outside);
  if (!hasDatabase(values, outside)) {
    return [
      ...databaseRights(location, values),
      {
        check,
        severity: 'note',
        what: `there is no database ${location} yet`,
        why: 'The server makes it when it starts; if it runs already, it uses another one.',
        remedy: 'greyctl doctor --db=FILE, with the file that the server named at its start',
      },
    ];
  }
  try {
    const info = await withStore(values, outside, (store) => store.info());
    const text = `${location} is healthy: ${size(info.sizeBytes)}, ${count(info.waiting)} waiting, ${count(info.passed)} passed`;
    const room = isShared(values)
      ? await memory(values, outside)
      : [...databaseRights(location, values), disk(location, info.sizeBytes)];
    return [ok(check, text), ...room, clock(info, outside.now())];
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return [
      {
        check,
        severity: 'problem',
        what: error.message,
        why: 'While the database cannot be used, nothing is greylisted and all mail passes.',
        ...(error.hint !== undefined && { remedy: error.hint }),
      },
    ];
  }
}
