/** What commands get from the outside: the only way they see the process. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { defaultDatabase } from '../config/location.js';
import type { Values } from '../config/options.js';
import { isRedisUrl, withoutPassword } from '../config/redis-url.js';
import { resolve, type Given, type Resolved } from '../config/resolve.js';
import { Failure, reasonOf } from '../greylist/failure.js';
import { printable } from '../greylist/printable.js';
import type { Store } from '../greylist/store.js';
import { createTerminal, type Terminal } from '../output/terminal.js';
import { withFallback, type FallbackEvents } from '../store/fallback.js';
import { MemoryStore } from '../store/memory.js';
import { hashed, privacyKey, privacyMark } from '../store/privacy.js';
import { openSqlite } from '../store/sqlite/client.js';
import { givenSettings } from './arguments.js';

/** Parsed arguments of one command, as yargs has them. */
export type Arguments = Readonly<Record<string, unknown>>;

/** The process, handed in. */
export interface Process {
  readonly environment: NodeJS.ProcessEnv;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly userId: number;
  readonly home: string;
  /** Epoch seconds. */
  readonly now: () => number;
}

const systemConfig = '/etc/greyctl/greyctl.conf';

function configFile(
  given: Given,
  environment: NodeJS.ProcessEnv,
): { name: string; text: string } | undefined {
  const named = given.config?.at(-1) ?? environment['GREYCTL_CONFIG'];
  const name = named ?? systemConfig;
  if (named === undefined && !existsSync(systemConfig)) return undefined;
  try {
    return { name, text: readFileSync(name, 'utf8') };
  } catch (error) {
    throw new Failure(`cannot read the configuration file ${name}: ${reasonOf(error)}`, {
      kind: 'usage',
      cause: error,
    });
  }
}

/** All settings in force where these are given, with where each came from. */
export function resolveGiven(given: Given, outside: Process): Resolved {
  return resolve(given, outside.environment, configFile(given, outside.environment));
}

/** The same for the arguments of a command. */
export function resolveSettings(argv: Arguments, outside: Process): Resolved {
  return resolveGiven(givenSettings(argv), outside);
}

/** True when the command line alone is to blame for all problems. */
function areTyped(problems: readonly string[], given: Given): boolean {
  const typed = resolve(given, {}).problems;
  return problems.length === typed.length && problems.every((problem) => typed.includes(problem));
}

/** Throws a Failure that lists every problem of settings of which `given` stood on the command line. */
export function refuseProblems({ problems }: Pick<Resolved, 'problems'>, given: Given): void {
  const [first, ...more] = problems;
  if (first === undefined) return;
  const message =
    more.length === 0
      ? first
      : `${problems.length} problems:\n${problems.map((problem) => `  ${problem}`).join('\n')}`;
  // Where none is given the hint is the help of the command.
  if (areTyped(problems, given)) throw new Failure(`wrong command line: ${message}`, { kind: 'usage' });
  throw new Failure(`wrong configuration: ${message}`, { kind: 'usage', hint: 'greyctl config show' });
}

/** The settings for a command; throws a Failure when there is anything wrong with them. */
export function settingsFor(argv: Arguments, outside: Process): Resolved {
  const resolved = resolveSettings(argv, outside);
  refuseProblems(resolved, givenSettings(argv));
  for (const warning of resolved.warnings) outside.stderr.write(`greyctl: ${printable(warning)}\n`);
  return resolved;
}

/** Standard output, coloured as the settings say. */
export function terminalFor(values: Values, outside: Process): Terminal {
  return createTerminal(outside.stdout, values.color, outside.environment);
}

/** Where the database is; of a shared one without its password. */
export function databaseLocation(values: Values, outside: Process): string {
  if (values.db !== undefined) return isShared(values) ? withoutPassword(values.db) : path.resolve(values.db);
  if (values.dbdir !== undefined) return path.resolve(values.dbdir, 'greyctl.db');
  return defaultDatabase(outside.environment, outside.userId, outside.home);
}

/** Makes the folder of the default database; a folder that somebody named must be there. */
export function makeDatabaseFolder(values: Values, outside: Process): string {
  const location = databaseLocation(values, outside);
  if (values.db === undefined && values.dbdir === undefined) {
    try {
      mkdirSync(path.dirname(location), { recursive: true, mode: 0o750 });
    } catch (error) {
      throw new Failure(`cannot create the folder ${path.dirname(location)}: ${reasonOf(error)}`, {
        cause: error,
      });
    }
  }
  return location;
}

/** Throws a Failure where the folder is not there that somebody named for the database: before work that would be lost. */
export function refuseMissingFolder(values: Values, outside: Process): void {
  if (isShared(values) || (values.db === undefined && values.dbdir === undefined)) return;
  const location = databaseLocation(values, outside);
  const folder = path.dirname(location);
  if (existsSync(folder)) return;
  throw new Failure(`cannot open the database ${location}: no such file or directory`, {
    hint: `mkdir -p ${folder}`,
  });
}

/** True when the database is on a server that others use, too. */
export function isShared(values: Values): boolean {
  return values.db !== undefined && isRedisUrl(values.db);
}

/** False when the database is a file that is not there; one on a server is found out when it is opened. */
export function hasDatabase(values: Values, outside: Process): boolean {
  return isShared(values) || existsSync(databaseLocation(values, outside));
}

/** What to say where there is no database: of one that nobody named also how another is. */
export function missingDatabase(values: Values, outside: Process): Failure {
  const isNamed = values.db !== undefined || values.dbdir !== undefined;
  return new Failure(`there is no database ${databaseLocation(values, outside)}`, {
    ...(!isNamed && { hint: '--db=FILE, with the file that the server named at its start' }),
  });
}

/** Opens the database as it is, hashes included, creating it where there is none. The caller closes. */
export async function openPlainStore(
  values: Values,
  outside: Process,
  isServer = false,
  privacy?: string,
): Promise<Store> {
  if (!isShared(values)) return openSqlite(makeDatabaseFolder(values, outside), values.durability);
  const { openSharedStore } = await import('./shared.js');
  return openSharedStore(values, outside, isServer, privacy);
}

/** The file with the key of hashed addresses. */
export function privacyKeyFile(values: Values, outside: Process): string {
  const named = values['privacy-key'];
  if (named !== undefined) return path.resolve(named);
  if (!isShared(values)) return `${databaseLocation(values, outside)}.key`;
  return path.join(
    path.dirname(defaultDatabase(outside.environment, outside.userId, outside.home)),
    'privacy.key',
  );
}

/** Opens the database, creating it where there is none. The caller closes. */
async function openStore(values: Values, outside: Process): Promise<Store> {
  return withPrivacy(values, outside, (privacy) => openPlainStore(values, outside, false, privacy));
}

/** The same for a server: a shared database may be away, and have a local one for that time, of which `events` tell. */
export async function openServingStore(
  values: Values,
  outside: Process,
  events: FallbackEvents,
): Promise<Store> {
  const fallback = isShared(values) ? values['db-fallback'] : undefined;
  return withPrivacy(values, outside, async (privacy) => {
    const local =
      fallback === undefined ? undefined : await openSqlite(path.resolve(fallback), values.durability);
    const store = await openPlainStore(values, outside, true, privacy ?? privacyMark(undefined));
    return local ? withFallback(store, local, events) : store;
  });
}

/** Puts keyed hashes before what `open` opens, where they are wanted; `open` gets the mark of the key. */
async function withPrivacy(
  values: Values,
  outside: Process,
  open: (mark: string | undefined) => Promise<Store>,
): Promise<Store> {
  if (!values.privacy) return open(undefined);
  // The folder of the key is that of the database.
  if (!isShared(values)) makeDatabaseFolder(values, outside);
  const key = await privacyKey(privacyKeyFile(values, outside));
  return hashed(await open(privacyMark(key)), key);
}

/** Calls `use` with the database and closes it, whatever happens. */
export async function withStore<T>(
  values: Values,
  outside: Process,
  use: (store: Store) => Promise<T>,
): Promise<T> {
  const store = await openStore(values, outside);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

/** Like `withStore` for commands that add nothing: where there is no database yet an empty one in memory serves. */
export async function withExistingStore<T>(
  values: Values,
  outside: Process,
  use: (store: Store) => Promise<T>,
): Promise<T> {
  if (hasDatabase(values, outside)) return withStore(values, outside, use);
  const { message, hint } = missingDatabase(values, outside);
  outside.stderr.write(`greyctl: ${printable(message)} yet\n${hint === undefined ? '' : `Try: ${hint}\n`}`);
  return use(new MemoryStore());
}
