/** Redis servers of a test's own, on free ports, without a trace on disk after it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { defaultSettings } from '#src/greylist/settings.js';
import type { Store } from '#src/greylist/store.js';
import { openRedis, type RedisOptions } from '#src/store/redis/store.js';
import { start, type Background } from './background.js';
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

/** Runs redis-cli(1) against a port of this host. */
export async function redisCli(port: number, args: readonly string[]): Promise<string> {
  const child = start(find('redis-cli') ?? 'redis-cli', ['-p', String(port), ...args]);
  await within(child.exited, `end of redis-cli ${args.join(' ')}`, 3 * stepMilliseconds);
  return child.stdout().trim();
}

/** Starts `redis-server` with these settings in a folder of its own; it ends with its owner. */
export async function redisServer(
  owner: Owner,
  settings: readonly string[] = [],
  wantedPort?: number,
): Promise<RedisServer> {
  const port = wantedPort ?? (await freePort());
  const folder = mkdtempSync(path.join(tmpdir(), 'greyctl-redis-'));
  const fixed = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--save',
    '',
    '--daemonize',
    'no',
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
  return { ...child, port, url: `redis://127.0.0.1:${port}`, cli: (...args) => redisCli(port, args) };
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
export async function guardedRedis(owner: Owner): Promise<Guarded> {
  const master = await redisServer(owner);
  const replica = await redisServer(owner, ['--replicaof', '127.0.0.1', String(master.port)]);
  const folder = mkdtempSync(path.join(tmpdir(), 'greyctl-sentinel-'));
  owner.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const file = path.join(folder, 'sentinel.conf');
  const port = await freePort();
  writeFileSync(
    file,
    [
      ...[`port ${port}`, 'bind 127.0.0.1', `dir ${folder}`],
      ...[`sentinel monitor site 127.0.0.1 ${master.port} 1`, 'sentinel down-after-milliseconds site 1000'],
      ...['sentinel failover-timeout site 5000', ''],
    ].join('\n'),
  );
  const child = start(find('redis-server') ?? 'redis-server', [file, '--sentinel']);
  owner.after(() => child.kill());
  const cli = (...args: readonly string[]) => redisCli(port, args);
  await child.until(
    async () =>
      (await cli('SENTINEL', 'REPLICAS', 'site')).includes(String(replica.port)) ? true : undefined,
    'a Sentinel that knows the replica',
  );
  const sentinel = { ...child, port, url: `redis://127.0.0.1:${port}`, cli };
  return { servers: [master, replica], sentinel, url: `redis+sentinel://127.0.0.1:1,127.0.0.1:${port}/site` };
}

export interface RedisCluster {
  readonly nodes: readonly RedisServer[];
  /** `redis+cluster://127.0.0.1:PORT,…`. */
  readonly url: string;
}

/** Three masters that share the slots. */
export async function redisCluster(owner: Owner): Promise<RedisCluster> {
  const settings = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'];
  const nodes: RedisServer[] = [];
  while (nodes.length < 3) {
    const port = await freePort();
    // Nodes talk to each other on a port 10,000 higher.
    if (port < 55_000) nodes.push(await redisServer(owner, settings, port));
  }
  const places = nodes.map(({ port }) => `127.0.0.1:${port}`);
  await redisCli(nodes[0]?.port ?? 0, ['--cluster', 'create', ...places, '--cluster-yes']);
  for (const node of nodes)
    await eventually(
      async () => ((await node.cli('CLUSTER', 'INFO')).includes('cluster_state:ok') ? true : undefined),
      'a cluster',
    );
  return { nodes, url: `redis+cluster://${places.slice(0, 2).join(',')}` };
}
