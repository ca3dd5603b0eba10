/** What commands get from the outside: the only way they see the process. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { defaultDatabase } from '../config/location.js';
import type { Values } from '../config/options.js';
import { resolve, type Given, type Resolved } from '../config/resolve.js';
import { Failure, reasonOf } from '../greylist/failure.js';
import { printable } from '../greylist/printable.js';
import type { Store } from '../greylist/store.js';
import { createTerminal, type Terminal } from '../output/terminal.js';
import { MemoryStore } from '../store/memory.js';
import { hashed, privacyKey } from '../store/privacy.js';
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

/** Throws a Failure that lists every problem. */
export function refuseProblems({ problems }: Pick<Resolved, 'problems'>): void {
  const [first, ...more] = problems;
  if (first === undefined) return;
  const message =
    more.length === 0
      ? first
      : `${problems.length} problems:\n${problems.map((problem) => `  ${problem}`).join('\n')}`;
  throw new Failure(`wrong configuration: ${message}`, { kind: 'usage', hint: 'greyctl config show' });
}

/** The settings for a command; throws a Failure when there is anything wrong with them. */
export function settingsFor(argv: Arguments, outside: Process): Resolved {
  const resolved = resolveSettings(argv, outside);
  refuseProblems(resolved);
  for (const warning of resolved.warnings) outside.stderr.write(`greyctl: ${printable(warning)}\n`);
  return resolved;
}

/** Standard output, coloured as the settings say. */
export function terminalFor(values: Values, outside: Process): Terminal {
  return createTerminal(outside.stdout, values.color, outside.environment);
}

/** Where the database is. */
export function databaseLocation(values: Values, outside: Process): string {
  if (values.db !== undefined) return path.resolve(values.db);
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

/** Opens the database, creating it where there is none. The caller closes. */
export async function openStore(values: Values, outside: Process): Promise<Store> {
  const location = makeDatabaseFolder(values, outside);
  const key = values.privacy ? await privacyKey(`${location}.key`) : undefined;
  const store = await openSqlite(location, values.durability);
  return key ? hashed(store, key) : store;
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

/** Like `withStore` for commands that only look: where there is no database yet an empty one in memory serves. */
export async function withExistingStore<T>(
  values: Values,
  outside: Process,
  use: (store: Store) => Promise<T>,
): Promise<T> {
  if (existsSync(databaseLocation(values, outside))) return withStore(values, outside, use);
  outside.stderr.write(`greyctl: there is no database ${printable(databaseLocation(values, outside))} yet\n`);
  return use(new MemoryStore());
}
