import { existsSync, statSync, type Stats } from 'node:fs';
import path from 'node:path';
import type { Values } from '../../config/options.js';
import { codeOf, Failure } from '../../greylist/failure.js';
import { ok, type Finding } from '../../postfix/finding.js';
import { identityOf, type Identity } from '../../server/privileges.js';

/** Bits of a mode for one class of users. */
export const permission = { search: 1, write: 2, read: 4 } as const;

/** True when the mode gives `user` all of `wanted`; lists of further rights are not looked at. */
export function permits({ mode, uid, gid }: Stats, user: Identity, wanted: number): boolean {
  const shift = uid === user.uid ? 6 : user.groups.includes(gid) ? 3 : 0;
  return user.uid === 0 || ((mode >> shift) & wanted) === wanted;
}

/** True when `user` may search every folder above `file`; throws where this process may not look itself. */
export function mayEnter(file: string, user: Identity): boolean {
  const folder = path.dirname(file);
  if (!permits(statSync(folder), user, permission.search)) return false;
  return folder === path.dirname(folder) || mayEnter(folder, user);
}

const check = 'rights';
const why = 'The server lets all mail pass while it cannot use its database.';

/** What `user` may not do with the database, as the files that are in the way. */
function forbidden(location: string, user: Identity, values: Values): string[] {
  if (!mayEnter(location, user)) return [path.dirname(location)];
  const { write, read, search } = permission;
  const wanted: [string, number][] = [
    ...['', '-wal', '-shm'].map((end): [string, number] => [location + end, read | write]),
  ];
  // SQLite makes files beside its own. The folder of the default place is given to the user when the server starts.
  if (values.db !== undefined || values.dbdir !== undefined)
    wanted.push([path.dirname(location), read | write | search]);
  if (values.privacy) wanted.push([`${location}.key`, read]);
  return wanted
    .filter(([file]) => existsSync(file))
    .filter(([file, bits]) => !permits(statSync(file), user, bits))
    .map(([file]) => file);
}

/** May --user (and --group) use the database? Nothing is said where no user is named: the server then is who starts it. */
export function databaseRights(location: string, values: Values): Finding[] {
  const { user: name, group } = values;
  if (name === undefined) return [];
  try {
    const files = forbidden(location, identityOf(name, group), values);
    if (files.length === 0) return [ok(check, `the user ${name} may use the database`)];
    const what = `the user ${name} may not use ${files.join(', ')}`;
    const owner = group === undefined ? name : `${name}:${group}`;
    return [{ check, severity: 'problem', what, why, remedy: `chown ${owner} ${files.join(' ')}` }];
  } catch (error) {
    if (error instanceof Failure)
      return [
        { check, severity: 'problem', what: error.message, why, remedy: 'name another with --user, --group' },
      ];
    // A folder that this process may not look into says nothing about that user.
    if (codeOf(error) === undefined) throw error;
    return [];
  }
}
