import { accessSync, constants } from 'node:fs';
import path from 'node:path';

const systemFolder = '/var/lib/greyctl';

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Where the database is when nobody says: the system's place for root or where it may be written, else the user's. */
export function defaultDatabase(
  environment: Readonly<Record<string, string | undefined>>,
  userId: number,
  home: string,
): string {
  if (userId === 0 || isWritable(systemFolder)) return path.join(systemFolder, 'greyctl.db');
  const state = environment['XDG_STATE_HOME'] ?? path.join(home, '.local', 'state');
  return path.join(state, 'greyctl', 'greyctl.db');
}
