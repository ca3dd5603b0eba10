import { readFileSync, statSync, type Stats } from 'node:fs';
import path from 'node:path';
import { codeOf } from '../../greylist/failure.js';
import type { SocketState } from '../../postfix/behaviour.js';

interface User {
  readonly userId: number;
  readonly groups: ReadonlySet<number>;
}

function linesOf(file: string): string[][] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
}

/** The user in /etc/passwd and /etc/group; undefined for one that is not there. */
function userNamed(name: string): User | undefined {
  const line = linesOf('/etc/passwd').find(([user]) => user === name);
  if (!line) return undefined;
  const more = linesOf('/etc/group').filter(([, , , members]) => members?.split(',').includes(name));
  return {
    userId: Number(line[2]),
    groups: new Set([Number(line[3]), ...more.map(([, , group]) => Number(group))]),
  };
}

/** True when the mode gives `user` the permission, 1 to search or 2 to write; lists of further rights are not looked at. */
function permits({ mode, uid, gid }: Stats, { userId, groups }: User, permission: 1 | 2): boolean {
  const shift = uid === userId ? 6 : groups.has(gid) ? 3 : 0;
  return userId === 0 || ((mode >> shift) & permission) !== 0;
}

/** Whether `userName` may connect to the socket at an absolute path; unknown where this process may not look. */
export function socketState(file: string, userName: string): SocketState {
  try {
    const stats = statSync(file);
    if (!stats.isSocket()) return 'not a socket';
    const user = userNamed(userName);
    if (!user) return 'unknown';
    for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
      if (!permits(statSync(folder), user, 1)) return 'forbidden';
      if (folder === path.dirname(folder)) break;
    }
    return permits(stats, user, 2) ? 'usable' : 'forbidden';
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? 'missing' : 'unknown';
  }
}
