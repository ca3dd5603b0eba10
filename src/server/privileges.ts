import { execFileSync } from 'node:child_process';
import { Failure } from '../greylist/failure.js';

/** Whom to run as. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** All groups of the user. */
  readonly groups: readonly number[];
}

// id(1) and getent(1) know every source of users and groups that the system knows; Node knows none.

function ids(flag: '-u' | '-g' | '-G', user: string): number[] {
  try {
    const text = execFileSync('id', [flag, '--', user], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return text.trim().split(' ').map(Number);
  } catch (error) {
    throw new Failure(`there is no user ${user}`, { kind: 'usage', cause: error });
  }
}

function groupId(group: string): number {
  try {
    const line = execFileSync('getent', ['group', '--', group], { encoding: 'utf8' });
    return Number(line.split(':')[2]);
  } catch (error) {
    throw new Failure(`there is no group ${group}`, { kind: 'usage', cause: error });
  }
}

/** Looks up a user and, where given, another group than the user's own. Throws a Failure for a name nobody has. */
export function identityOf(user: string, group: string | undefined): Identity {
  const [uid = -1] = ids('-u', user);
  if (group !== undefined) {
    const gid = groupId(group);
    return { uid, gid, groups: [gid] };
  }
  const [gid = -1] = ids('-g', user);
  return { uid, gid, groups: ids('-G', user) };
}

/** Becomes `identity` for good. Only for root, and before any thread or file of its own is there. */
export function dropPrivileges(identity: Identity, self: NodeJS.Process): void {
  if (!self.setgroups || !self.setgid || !self.setuid)
    throw new Failure('this system has no users to change to');
  self.setgroups([...identity.groups]);
  self.setgid(identity.gid);
  self.setuid(identity.uid);
}
