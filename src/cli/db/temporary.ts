import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** Calls `use` with the name of a database that is not there yet, in a folder of this user's alone that is removed afterwards. */
export async function withTemporaryDatabase<T>(use: (file: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), 'greyctl-'));
  const remove = () => {
    rmSync(folder, { recursive: true, force: true });
  };
  // A reader that goes away (`| head`) ends the process here.
  process.once('exit', remove);
  try {
    return await use(path.join(folder, 'copy.db'));
  } finally {
    process.off('exit', remove);
    remove();
  }
}
