import { statSync } from 'node:fs';
import { codeOf } from '../../greylist/failure.js';
import type { SocketState } from '../../postfix/behaviour.js';
import { identityOf } from '../../server/privileges.js';
import { mayEnter, permits, permission } from './rights.js';

/** Whether `userName` may connect to the socket at an absolute path; unknown where this process may not look. */
export function socketState(file: string, userName: string): SocketState {
  try {
    const stats = statSync(file);
    if (!stats.isSocket()) return 'not a socket';
    const user = identityOf(userName, undefined);
    return mayEnter(file, user) && permits(stats, user, permission.write) ? 'usable' : 'forbidden';
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? 'missing' : 'unknown';
  }
}
