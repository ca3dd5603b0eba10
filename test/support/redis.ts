/** Redis servers of a test's own, on free ports, without a trace on disk after it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { defaultSettings } from '#src/greylist/settings.js';
import type { Store } from '#src/greylist/store.js';
import { openRedis, type RedisOptions } from '#src/store/redis/store.js';
import { start, type Background } from './background.js';
import type { Certificates } from './certificates.js';
import { eventually, stepMilliseconds, within } from './deadline.js';
import { freePort } from './free-port.js';
import { find } from './programs.js';

interface Owner {
  after(fn: () => unknown): void;
}

export interface RedisServer extends Background {
  readonly port: number;
  /** `redis://127.0.0.1:PORT`. */
  readonly url: string;
  /** Runs a command as redis-cli(1) does; resolves to what that prints. */
  cli(...args: readonly string[]): Promise<string>;
}

/** How servers are to be reached: all of them alike. */
export interface Access {
  readonly password?: string;
  /** Of Sentinels; none unless given. */
  readonly sentinelPassword?: string;
  /** With them nothing goes without TLS. */
  readonly certificates?: Certificates;
}

/** The settings of a server that is reached so, by name. */
function settingsOf(port: number, { certificates }: Access): [name: string, value: string][] {
  if (!certificates) return [['port', String(port)]];
  return [
    ['port', '0'],
    ['tls-port', String(port)],
    ['tls-auth-clients', 'no'],
    ['tls-replication', 'yes'],
    ['tls-cert-file', certificates.certificate],
    ['tls-key-file', certificates.key],
    ['tls-ca-cert-file', certificates.authority],
  ];
}

/** Runs redis-cli(1) against a port of this host. */
export async function redisCli(port: number, args: readonly string[], access: Access = {}): Promise<string> {
  const { password, certificates } = access;
  const given = [
    ...(password === undefined ? [] : ['-a', password, '--no-auth-warning']),
    ...(certificates ? ['--tls', '--cacert', certificates.authority] : []),
  ];
  const child = start(find('redis-cli') ?? 'redis-cli', ['-p', String(port), ...given, ...args]);
  await within(child.exited, `end of redis-cli ${args.join(' ')}`, 3 * stepMilliseconds);
  return child.stdout().trim();
}

/** Starts `redis-server` with these settings in a folder of its own; it ends with its owner. */
export async function redisServer(
  owner: Owner,
  settings: readonly string[] = [],
  wantedPort?: number,
  access: Access = {},
): Promise<RedisServer> {
  const port = wantedPort ?? (await freePort());
  const folder = mkdtempSync(path.join(tmpdir(), 'greyctl-redis-'));
  const { password, certificates } = access;
  const secrets = password === undefined ? [] : ['--requirepass', password, '--masterauth', password];
  const fixed = [
    ...settingsOf(port, access).flatMap(([name, value]) => [`--${name}`, value]),
    ...['--bind', '127.0.0.1', '--dir', folder, '--save', '', '--daemonize', 'no', ...secrets],
  ];
  const child = start(find('redis-server') ?? 'redis-server', [...fixed, ...settings]);
  owner.after(async () => {
    child.process.kill('SIGCONT');
    await child.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  await child.until(
    () => (/eady to accept connections|Sentinel ID is/.test(child.stdout()) ? true : undefined),
    'a ready redis-server',
  );
  const url = `redis${certificates ? 's' : ''}://127.0.0.1:${port}`;
  return { ...child, port, url, cli: (...args) => redisCli(port, args, access) };
}

/** A store on the Redis of this port of this host; the caller closes. */
export function openRedisStore(port: number, more: Partial<RedisOptions> = {}): Promise<Store> {
  const hosts = [{ host: '127.0.0.1', port }];
  return openRedis({
    address: { kind: 'single', hosts, database: 0, isTls: false, prefix: 'greyctl' },
    location: `redis://127.0.0.1:${port}`,
    timeoutMs: 5000,
    rules: defaultSettings,
    now: () => Math.floor(Date.now() / 1000),
    ...more,
  });
}

export interface Guarded {
  /** Ports of the servers: the master first, then its replica. */
  readonly servers: readonly RedisServer[];
  readonly sentinel: RedisServer;
  /** `redis+sentinel://127.0.0.1:PORT/site`. */
  readonly url: string;
}

/** A master with a replica, watched by one Sentinel that is quick to act. */
export async function guardedRedis(owner: Owner, access: Access = {}): Promise<Guarded> {
  const { password, sentinelPassword, certificates } = access;
  const master = await redisServer(owner, [], undefined, access);
  const follows = ['--replicaof', '127.0.0.1', String(master.port)];
  const replica = await redisServer(owner, follows, undefined, access);
  const folder = mkdtempSync(path.join(tmpdir(), 'greyctl-sentinel-'));
  owner.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const file = path.join(folder, 'sentinel.conf');
  const port = await freePort();
  writeFileSync(
    file,
    [
      ...settingsOf(port, access).map(([name, value]) => `${name} ${value}`),
      ...['bind 127.0.0.1', `dir ${folder}`],
      ...(sentinelPassword === undefined ? [] : [`requirepass ${sentinelPassword}`]),
      ...[`sentinel monitor site 127.0.0.1 ${master.port} 1`, 'sentinel down-after-milliseconds site 1000'],
      ...(password === undefined ? [] : [`sentinel auth-pass site ${password}`]),
      ...['sentinel failover-timeout site 5000', ''],
    ].join('\n'),
  );
  const child = start(find('redis-server') ?? 'redis-server', [file, '--sentinel']);
  owner.after(() => child.kill());
  const toSentinel: Access = {
    ...(sentinelPassword !== undefined && { password: sentinelPassword }),
    ...(certificates && { certificates }),
  };
  const cli = (...args: readonly string[]) => redisCli(port, args, toSentinel);
  await child.until(
    async () =>
      (await cli('SENTINEL', 'REPLICAS', 'site')).includes(String(replica.port)) ? true : undefined,
    'a Sentinel that knows the replica',
  );
  const scheme = certificates ? 'rediss' : 'redis';
  const sentinel = { ...child, port, url: `${scheme}://127.0.0.1:${port}`, cli };
  const url = `${scheme}+sentinel://127.0.0.1:1,127.0.0.1:${port}/site`;
  return { servers: [master, replica], sentinel, url };
}

export interface RedisCluster {
  readonly nodes: readonly RedisServer[];
  /** `redis+cluster://127.0.0.1:PORT,…`. */
  readonly url: string;
}

/** Three masters that share the slots, and so many replicas of the first, which come last. */
export async function redisCluster(owner: Owner, access: Access = {}, replicas = 0): Promise<RedisCluster> {
  const encrypted = access.certificates ? ['--tls-cluster', 'yes'] : [];
  const settings = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', ...encrypted];
  const nodes: RedisServer[] = [];
  while (nodes.length < 3 + replicas) {
    const port = await freePort();
    // Nodes talk to each other on a port 10,000 higher.
    if (port < 55_000) nodes.push(await redisServer(owner, settings, port, access));
  }
  const places = nodes.map(({ port }) => `127.0.0.1:${port}`);
  const [first] = nodes;
  const [master = '', ...others] = places;
  const masters = [master, ...others.slice(0, 2)];
  await first?.cli('--cluster', 'create', ...masters, '--cluster-yes');
  const isKnown = async (node: RedisServer) =>
    (await node.cli('CLUSTER', 'INFO')).includes('cluster_state:ok');
  for (const node of nodes.slice(0, 3))
    await eventually(async () => ((await isKnown(node)) ? true : undefined), 'a cluster');
  for (const node of nodes.slice(3)) {
    await first?.cli('--cluster', 'add-node', `127.0.0.1:${node.port}`, master, '--cluster-slave');
    await eventually(
      async () => ((await node.cli('ROLE')).includes('connected') ? true : undefined),
      'a replica',
    );
  }
  const scheme = access.certificates ? 'rediss' : 'redis';
  return { nodes, url: `${scheme}+cluster://${places.slice(0, 2).join(',')}` };
}
