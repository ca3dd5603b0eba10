/**
 * Where a shared database is:
 *
 *     redis[s]://[[USER][:PASSWORD]@]HOST[:PORT][/DB]
 *     redis[s]+sentinel://[[USER][:PASSWORD]@]HOST[:PORT][,HOST…]/MASTER[/DB]
 *     redis[s]+cluster://[[USER][:PASSWORD]@]HOST[:PORT][,HOST…]
 *
 * each with `?prefix=NAME` where not all keys are to begin with `greyctl`. User, password and master are percent-encoded where they
 * hold `@ : / ?` or `%`.
 */
import { BadValue, readInteger } from './value.js';

/** The parts of a location. */
export interface RedisUrl {
  readonly kind: 'single' | 'sentinel' | 'cluster';
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  readonly master?: string;
  readonly database: number;
  readonly user?: string;
  readonly password?: string;
  readonly isTls: boolean;
  readonly prefix: string;
}

const form =
  /^redis(s?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/?]*)@)?([^@/?]+)(\/[^?]*)?(?:\?prefix=([\w.-]{1,64}))?$/;

const defaultPorts = { single: 6379, sentinel: 26_379, cluster: 6379 } as const;

/** True for whatever is meant to be such a location. */
export function isRedisUrl(location: string): boolean {
  return /^redis[a-z+]*:/.test(location);
}

/** A location, or a text with one in it, without the password, for people. */
export function withoutPassword(location: string): string {
  return location.replace(/\b(redis[a-z+]*:\/\/[^:@/]*):.*@/, '$1:***@');
}

function readHost(text: string, port: number, location: string): RedisUrl['hosts'][number] {
  const [, bracketed, plain, given] = /^(?:\[([\da-fA-F:.]+)\]|([^\s:[\]]+))(?::(\d+))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const number = given === undefined ? port : Number(given);
  if (host === undefined || number < 1 || number > 65_535)
    throw new BadValue(
      withoutPassword(location),
      'a location whose hosts are HOST, HOST:PORT or [IPv6]:PORT',
    );
  return { host, port: number };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new BadValue('***', 'percent-encoded: a % in a user or password is written %25');
  }
}

function readUser(text: string | undefined): Pick<RedisUrl, 'user' | 'password'> {
  if (text === undefined) return {};
  const colon = text.indexOf(':');
  const [user, password] = colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)];
  return { ...(user && { user: decoded(user) }), ...(password && { password: decoded(password) }) };
}

/** Reads a location; throws a BadValue, which never holds the password. */
export function readRedisUrl(location: string): RedisUrl {
  const [whole, tls, shape, user, hosts = '', rest = '', prefix = 'greyctl'] = form.exec(location) ?? [];
  const wanted =
    'redis://HOST[:PORT][/DB], redis+sentinel://HOST,…/MASTER or redis+cluster://HOST,…, with ?prefix=NAME at most';
  if (whole === undefined) throw new BadValue(withoutPassword(location), wanted);
  const kind = shape === 'sentinel' || shape === 'cluster' ? shape : 'single';
  const parts = rest.split('/').slice(1);
  const master = kind === 'sentinel' ? parts.shift() : undefined;
  const [database = '', ...more] = parts;
  const list = hosts.split(',').map((host) => readHost(host, defaultPorts[kind], location));
  const isWrong =
    more.length > 0 ||
    (kind === 'single' && list.length > 1) ||
    (kind === 'sentinel' && !master) ||
    (kind === 'cluster' && database !== '' && database !== '0');
  if (isWrong) throw new BadValue(withoutPassword(location), wanted);
  return {
    kind,
    hosts: list,
    ...(master && { master: decoded(master) }),
    database: database === '' ? 0 : readInteger(database, 0, 1_000_000),
    ...readUser(user),
    isTls: tls === 's',
    prefix,
  };
}
