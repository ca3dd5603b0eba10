import { readFile } from 'node:fs/promises';

/** What a server has open beside its connections: libraries, database, lists, log, sockets. */
const ownFiles = 50;

/** How many files this process may have open (proc(5)); Node has raised it as far as it may be. Undefined where nobody says. */
async function openFilesLimit(): Promise<number | undefined> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  const [, soft] = /^Max open files +(\d+) /m.exec(limits) ?? [];
  return soft === undefined ? undefined : Number(soft);
}

/** What to tell the operator when there are too few file descriptors for all connections; undefined when there are enough. */
export async function fileLimitWarning(maxConnections: number): Promise<string | undefined> {
  const limit = await openFilesLimit();
  if (limit === undefined || limit >= maxConnections + ownFiles) return undefined;
  return (
    `only ${limit} files may be open, too few for ${maxConnections} connections (--max-connections): ` +
    'raise the limit (LimitNOFILE= of systemd, ulimit -n) or say --max-connections'
  );
}
