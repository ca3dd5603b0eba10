/** A database on Redis or Valkey, as the settings say. Loaded only where one is used. */
import { readFileSync } from 'node:fs';
import type { Values } from '../config/options.js';
import { readRedisUrl, withoutPassword, type RedisUrl } from '../config/redis-url.js';
import { settingsOf } from '../config/resolve.js';
import { Failure, reasonOf } from '../greylist/failure.js';
import type { RedisAddress } from '../store/redis/link.js';
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

/**
 * The password of the location, else of the environment, else of the file's first line; where there are Sentinels, their own of the
 * second line, if it has one. The file is read once, as a pipe can be, and only where one of its lines is needed.
 */
function passwordsFor(
  { kind, password: inLocation }: RedisUrl,
  values: Values,
  outside: Process,
): Pick<RedisAddress, 'password' | 'sentinelPassword'> {
  const { GREYCTL_DB_PASSWORD: inEnvironment } = outside.environment;
  const given = inLocation ?? (inEnvironment === '' ? undefined : inEnvironment);
  const file = values['db-password-file'];
  const hasSentinels = kind === 'sentinel';
  if (file === undefined || (given !== undefined && !hasSentinels)) return { password: given };
  const [first, second] = readNamed(file, 'the password file').split(/\r?\n/);
  const password = given ?? first;
  if (!password) throw new Failure(`the password file ${file} has no first line`, { kind: 'usage' });
  return { password, ...(hasSentinels && second && { sentinelPassword: second }) };
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
  const authority = values['db-tls-ca'];
  return openRedis({
    address: { ...url, ...passwordsFor(url, values, outside) },
    location: withoutPassword(location),
    ...(authority !== undefined && { tlsAuthority: readNamed(authority, 'the certificates') }),
    timeoutMs: isServer ? values['store-timeout'] * 1000 * serverShare : commandTimeoutMs,
    rules: settingsOf(values),
    now: outside.now,
    mayBeAway: isServer,
    privacy,
  });
}
