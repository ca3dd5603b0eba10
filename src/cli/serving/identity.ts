import { lchownSync } from 'node:fs';
import path from 'node:path';
import type { Values } from '../../config/options.js';
import { Failure, reasonOf } from '../../greylist/failure.js';
import { dropPrivileges, identityOf, type Identity } from '../../server/privileges.js';
import { makeDatabaseFolder, type Process } from '../context.js';

/** Whom --user and --group say to run as; undefined: as whoever started it. Throws a Failure where that cannot be. */
export function wantedIdentity(values: Values, outside: Process): Identity | undefined {
  if (values.user === undefined) {
    if (values.group !== undefined) throw new Failure('--group needs --user', { kind: 'usage' });
    return undefined;
  }
  const identity = identityOf(values.user, values.group);
  if (identity.uid === outside.userId && values.group === undefined) return undefined;
  if (outside.userId !== 0) throw new Failure(`only root can run the server as ${values.user}`);
  return identity;
}

/** Gives the unix sockets and the folder of the default database to `identity`, then becomes it. Links are not followed. */
export function takeIdentity(identity: Identity, values: Values, outside: Process): void {
  const files = values.unix.map((file) => path.resolve(file));
  if (values.db === undefined && values.dbdir === undefined) {
    files.push(path.dirname(makeDatabaseFolder(values, outside)));
  }
  try {
    for (const file of files) lchownSync(file, identity.uid, identity.gid);
    dropPrivileges(identity, process);
  } catch (error) {
    throw new Failure(`cannot become the user ${values.user ?? ''}: ${reasonOf(error)}`, { cause: error });
  }
}
