/**
 * The one table of settings. The command line, the environment (GREYCTL_DELAY), the file (delay = 5m), `config show`, the help and
 * the manual's completeness test all read it; its order is the order in which people see the settings.
 */
import { hostname } from 'node:os';
import { parseNetwork, type Network } from '../greylist/address.js';
import { defaultSettings, type ClientKey } from '../greylist/settings.js';
import { parseEndpoint } from './endpoint.js';
import { choice, duration, flag, integer, list, single, text, type Option } from './option.js';
import { isRedisUrl, readRedisUrl, withoutPassword } from './redis-url.js';
import { BadValue, readInteger, readMode, readText } from './value.js';

function readNetwork(given: string): Network {
  const network = parseNetwork(given.trim());
  if (!network) throw new BadValue(given, 'a network such as 192.0.2.0/24 or 2001:db8::/32');
  return network;
}

function readPrefix(given: string, width: number, initial: number): number {
  return readInteger(given, 0, width) || initial;
}

function readEndpoint(given: string): string {
  if (!parseEndpoint(given))
    throw new BadValue(given, '[HOST:]PORT, such as 60000, 127.0.0.1:60000 or [::1]:60000');
  return given;
}

function readSocketPath(given: string): string {
  // sockaddr_un holds 108 bytes with the closing NUL; longer paths are cut by the system without a word.
  if (Buffer.byteLength(readText(given)) > 107) throw new BadValue(given, 'a path of at most 107 bytes');
  return given;
}

function readLocation(given: string): string {
  if (isRedisUrl(readText(given))) readRedisUrl(given);
  else if (/^[a-z+]+:\/\//.test(given))
    throw new BadValue(withoutPassword(given), 'the path of a file or a redis:// URL');
  return given;
}

const facilities = [
  'mail',
  'daemon',
  'user',
  'auth',
  'authpriv',
  'local0',
  'local1',
  'local2',
  'local3',
  'local4',
  'local5',
  'local6',
  'local7',
] as const;

const general = { group: 'general' } as const;
const decision = { group: 'decision' } as const;
const server = { group: 'server' } as const;

export const options = {
  inet: list(
    { ...server, alias: ['i'], describe: 'listen on TCP; HOST is 127.0.0.1 unless given' },
    '[HOST:]PORT',
    readEndpoint,
  ),
  unix: list({ ...server, alias: ['u'], describe: 'listen on a unix socket' }, 'PATH', readSocketPath),
  socketmode: single({ ...server, describe: 'mode of the unix socket' }, 'MODE', 0o666, readMode, (mode) =>
    mode.toString(8).padStart(4, '0'),
  ),
  allow: {
    ...server,
    describe: 'clients that may connect besides this host; needed to listen on other addresses than loopback',
    argument: 'CIDR',
    repeatable: true,
    default: [] as readonly string[],
    read: (texts) => texts.map((given) => (readNetwork(given), given.trim())),
    write: (values) => values,
  } satisfies Option<readonly string[]>,
  'max-connections': integer(
    { ...server, describe: 'connections at a time; further ones are closed at once' },
    1000,
    1,
    100_000,
  ),
  'listen-queue-size': single(
    { ...server, describe: 'connections that may wait to be accepted, at most 999' },
    'N',
    511,
    (given) => Math.min(999, readInteger(given, 1, 1_000_000)),
    String,
  ),
  daemonize: flag({
    ...server,
    alias: ['d'],
    commandLineOnly: true,
    describe: 'run in the background and log to syslog',
  }),
  pidfile: text({ ...server, describe: 'write the process id to this file' }, 'PATH', undefined),
  user: text({ ...server, describe: 'run as this user once the sockets are open' }, 'USER', undefined),
  group: text(
    { ...server, describe: 'run as this group instead of the groups of --user' },
    'GROUP',
    undefined,
  ),
  'syslog-facility': choice<string>(
    { ...server, alias: ['syslogfacility', 'facility'], describe: 'syslog facility with --daemonize' },
    'FACILITY',
    facilities,
    'mail',
  ),
  verbose: flag({ ...server, alias: ['v'], describe: 'log connections too' }),
  quiet: flag({ ...server, alias: ['q'], describe: 'log no decisions, only what is wrong' }),
  'dry-run': flag({
    ...server,
    alias: ['noaction', 'no-action', 'n'],
    describe: 'decide, learn and log, but let everything pass',
  }),
  exim: flag({ ...server, describe: 'close the connection after one answer, as Exim wants it' }),
  delay: duration(
    { ...decision, describe: 'a retry passes after this time; a bare number is seconds' },
    'TIME',
    's',
    defaultSettings.delaySeconds,
  ),
  'retry-window': duration(
    { ...decision, describe: 'how long a first retry may take; a bare number is days' },
    'TIME',
    'd',
    defaultSettings.retryWindowSeconds,
    true,
  ),
  'max-age': duration(
    { ...decision, describe: 'how long a passed triplet is remembered unused; a bare number is days' },
    'TIME',
    'd',
    defaultSettings.maxAgeSeconds,
    true,
  ),
  'max-waiting': integer(
    { ...decision, describe: 'triplets that may wait; while so many do, new ones pass' },
    defaultSettings.maxWaiting,
    1,
    100_000_000,
  ),
  'max-waiting-per-client': integer(
    {
      ...decision,
      describe: 'triplets of one client network that may wait; further ones are not remembered',
    },
    defaultSettings.maxWaitingPerClient,
    1,
    100_000_000,
  ),
  'auto-whitelist-clients': single(
    { ...decision, bare: '5', describe: 'so many triplets that came back whitelist a client; 0: never' },
    'N',
    defaultSettings.awlClients,
    (given) => readInteger(given, 0, 1_000_000),
    String,
  ),
  'client-key': choice<ClientKey>(
    { ...decision, describe: 'what stands for the client: subnet, host or (verified) domain' },
    'KEY',
    ['subnet', 'host', 'domain'],
    defaultSettings.clientKey,
  ),
  'lookup-by-subnet': flag({ ...decision, describe: 'the same as --client-key=subnet' }),
  'lookup-by-host': flag({ ...decision, describe: 'the same as --client-key=host' }),
  ipv4cidr: single(
    { ...decision, describe: 'bits of an IPv4 client’s network' },
    'N',
    defaultSettings.ipv4Prefix,
    (given) => readPrefix(given, 32, defaultSettings.ipv4Prefix),
    String,
  ),
  ipv6cidr: single(
    { ...decision, describe: 'bits of an IPv6 client’s network' },
    'N',
    defaultSettings.ipv6Prefix,
    (given) => readPrefix(given, 128, defaultSettings.ipv6Prefix),
    String,
  ),
  'whitelist-clients': list(
    { ...decision, describe: 'file of clients that are never deferred, instead of the default files' },
    'FILE',
  ),
  'whitelist-recipients': list(
    {
      ...decision,
      describe: 'file of recipients whose mail is never deferred, instead of the default files',
    },
    'FILE',
  ),
  'whitelist-senders': list(
    { ...decision, describe: 'file of senders whose mail is never deferred, instead of the default files' },
    'FILE',
  ),
  'store-timeout': duration(
    {
      ...server,
      describe: 'a request waits for the database so long, then its mail passes; a bare number is seconds',
    },
    'TIME',
    's',
    1,
    true,
  ),
  'stats-age': duration(
    { ...server, describe: 'how long the counts for stats are kept; a bare number is days' },
    'TIME',
    'd',
    90 * 86_400,
    true,
  ),
  'greylist-authenticated': flag({ ...server, describe: 'greylist clients that logged in (SASL), too' }),
  privacy: flag({ ...decision, describe: 'keep keyed hashes instead of addresses' }),
  'privacy-key': text(
    {
      ...decision,
      describe: 'file of the key of these hashes; several servers with one database need the same',
    },
    'FILE',
    undefined,
  ),
  'greylist-action': text(
    { ...server, describe: 'answer that stands before the text: an action or a code such as 451' },
    'ACTION',
    'DEFER_IF_PERMIT',
  ),
  'greylist-text': text(
    { ...server, describe: 'what a deferred client is told; %s seconds left, %r domain of the recipient' },
    'TEXT',
    'Greylisted for %s seconds',
  ),
  'x-greylist-header': text(
    { ...server, describe: 'header of mail that had to wait; %t seconds, %v version, %h host, %d date' },
    'TEXT',
    'X-Greylist: delayed %t seconds by greyctl-%v at %h; %d',
  ),
  hostname: text({ ...server, describe: 'host name for %h' }, 'NAME', hostname()),
  db: {
    ...general,
    describe: 'database: the path of a SQLite file, or redis://HOST for several servers',
    argument: 'LOCATION',
    default: undefined as string | undefined,
    read: ([location]) => readLocation(location),
    write: (location) => (location === undefined ? [] : [location]),
  } satisfies Option<string | undefined>,
  share: flag({ ...server, describe: 'let other servers use this database file too' }),
  durability: choice<'normal' | 'full'>(
    { ...server, describe: 'what a remembered attempt outlives: normal a crash, full a power cut too' },
    'LEVEL',
    ['normal', 'full'],
    'normal',
  ),
  'db-fallback': text(
    { ...server, describe: 'SQLite file that is used while a redis:// database is away' },
    'FILE',
    undefined,
  ),
  'db-password-file': text(
    { ...general, describe: 'file with the password for a redis:// database, on its first line' },
    'FILE',
    undefined,
  ),
  'db-tls-ca': text(
    { ...general, describe: 'file with the certificates (PEM) that a rediss:// database is checked against' },
    'FILE',
    undefined,
  ),
  dbdir: text(
    { ...general, describe: 'folder of the database: the same as --db=DIR/greyctl.db' },
    'DIR',
    undefined,
  ),
  config: text(
    { ...general, describe: 'configuration file; default /etc/greyctl/greyctl.conf where it exists' },
    'FILE',
    undefined,
  ),
  json: flag({ ...general, commandLineOnly: true, describe: 'print JSON' }),
  color: choice<'auto' | 'always' | 'never'>(
    { ...general, describe: 'colour: auto, always or never' },
    'WHEN',
    ['auto', 'always', 'never'],
    'auto',
  ),
} as const;

export type OptionName = keyof typeof options;

/** All names, in the order of the table. */
// Object.keys forgets the type of the keys.
export const optionNames = Object.keys(options) as OptionName[];

/** The value of every setting. */
export type Values = { readonly [N in OptionName]: (typeof options)[N]['default'] };

/** The environment variable of a setting: GREYCTL_MAX_AGE for max-age. */
export function environmentName(name: string): string {
  return `GREYCTL_${name.toUpperCase().replaceAll('-', '_')}`;
}
