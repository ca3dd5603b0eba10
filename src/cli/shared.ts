/** A database on Redis or Valkey, as the settings say. Loaded only where one is used. */
import { readFileSync } from 'node:fs';
import type { Values } from '../config/options.js';
import { readRedisUrl, withoutPassword } from '../config/redis-url.js';
import { settingsOf } from '../config/resolve.js';
import { Failure, reasonOf } from '../greylist/failure.js';
import { openRedis, type RedisStore } from '../store/redis/store.js';
import type { Process } from './context.js';

/** How long one step of a command may take; nobody's mail waits for it. */
const commandTimeoutMs = 10_000;

/** The server's settler waits as long as the setting says; a store that knows why it did not answer has to be quicker. */
const serverShare = 0.8;

function readNamed(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Failure(`cannot read ${what} ${file}: ${reasonOf(error)}`, { kind: 'usage', cause: error });
  }
}

function passwordLines(file: string): string[] {
  return readNamed(file, 'the password file').split(/\r?\n/);
}

/** The password of the location, else of the environment, else of the file. */
function passwordFor(values: Values, outside: Process): string | undefined {
  const fromEnvironment = outside.environment['GREYCTL_DB_PASSWORD'];
  if (fromEnvironment) return fromEnvironment;
  const file = values['db-password-file'];
  if (file === undefined) return undefined;
  const [password = ''] = passwordLines(file);
  if (password === '') throw new Failure(`the password file ${file} has no first line`, { kind: 'usage' });
  return password;
}

/** The Sentinels' own password, in the second line of the file; undefined where they have none. */
function sentinelPasswordFor(values: Values): string | undefined {
  const file = values['db-password-file'];
  const second = file === undefined ? undefined : passwordLines(file)[1];
  return second === '' ? undefined : second;
}

/** Opens it; rejects with a Failure. A server opens also one that is away. `privacy` tells apart what addresses are kept as. */
export function openSharedStore(
  values: Values,
  outside: Process,
  isServer: boolean,
  privacy?: string,
): Promise<RedisStore> {
  const location = values.db ?? '';
  const url = readRedisUrl(location);
  const password = url.password ?? passwordFor(values, outside);
  const authority = values['db-tls-ca'];
  return openRedis({
    address: {
      ...url,
      password,
      ...(url.kind === 'sentinel' && { sentinelPassword: sentinelPasswordFor(values) }),
    },
    location: withoutPassword(location),
    ...(authority !== undefined && { tlsAuthority: readNamed(authority, 'the certificates') }),
    timeoutMs: isServer ? values['store-timeout'] * 1000 * serverShare : commandTimeoutMs,
    rules: settingsOf(values),
    now: outside.now,
    mayBeAway: isServer,
    privacy,
  });
}
