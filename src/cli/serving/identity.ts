import { chownSync } from 'node:fs';
import path from 'node:path';
import type { Values } from '../../config/options.js';
import { Failure } from '../../greylist/failure.js';
import { dropPrivileges, identityOf, type Identity } from '../../server/privileges.js';
import { makeDatabaseFolder, type Process } from '../context.js';

/** Whom --user and --group say to run as; undefined: as whoever started it. Throws a Failure where that cannot be. */
export function wantedIdentity(values: Values, outside: Process): Identity | undefined {
  if (values.user === undefined) {
    if (values.group !== undefined) throw new Failure('--group needs --user', { kind: 'usage' });
    return undefined;
  }
  const identity = identityOf(values.user, values.group);
  if (identity.uid === outside.userId) return undefined;
  if (outside.userId !== 0) throw new Failure(`only root can run the server as ${values.user}`);
  return identity;
}

/** Gives the sockets and the folder of the default database to `identity`, then becomes it. */
export function takeIdentity(
  identity: Identity,
  values: Values,
  names: readonly string[],
  outside: Process,
): void {
  const files = names.filter((name) => name.startsWith('unix:')).map((name) => name.slice('unix:'.length));
  if (values.db === undefined && values.dbdir === undefined) {
    files.push(path.dirname(makeDatabaseFolder(values, outside)));
  }
  for (const file of files) chownSync(file, identity.uid, identity.gid);
  dropPrivileges(identity, process);
}
