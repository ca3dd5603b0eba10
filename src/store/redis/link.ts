/** One connection to Redis or Valkey, to the master that Sentinel names, or to a cluster. A link that is lost stays lost. */
import { createClient, createCluster, ErrorReply, RESP_TYPES } from 'redis';

/** What Redis answers with in version 2 of its protocol. */
export type Reply = string | number | null | readonly Reply[];

/** The parts of a list; none of anything else. */
export function listOf(reply: Reply | undefined): readonly Reply[] {
  return typeof reply === 'object' && reply !== null ? reply : [];
}

/** Sends one command. What is sent in one turn of the event loop goes out together. */
export type Send = (args: readonly string[]) => Promise<Reply>;

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Where a database is: one server, the master of that name that Sentinels know, or a cluster. */
export interface RedisAddress {
  readonly kind: 'single' | 'sentinel' | 'cluster';
  /** The server, the Sentinels, or some nodes of the cluster. */
  readonly hosts: readonly HostPort[];
  /** The name Sentinels know the master by. */
  readonly master?: string | undefined;
  readonly database: number;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** Of the Sentinels, where it is another; they know no user of the database's then. */
  readonly sentinelPassword?: string | undefined;
  readonly isTls: boolean;
  /** What all keys begin with. */
  readonly prefix: string;
}

export interface LinkOptions {
  readonly address: RedisAddress;
  /** PEM; the system's authorities where it is not given. */
  readonly tlsAuthority?: string | undefined;
  /** How long a connection may take, with what is asked of a server before it is used. */
  readonly connectMs: number;
}

export interface Link {
  readonly isCluster: boolean;
  /** Sends one command to whoever keeps `key`. */
  send(key: string, args: readonly string[]): Promise<Reply>;
  /** What is kept as a text; none is an empty one. */
  bytes(key: string): Promise<Buffer>;
  /** What keeps a part of the keys each. */
  nodes(): Promise<Send[]>;
  /** Ends at once; what was asked is rejected. */
  destroy(): void;
}

/** Texts are not decoded. */
const asBytes = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } };

type Client = ReturnType<typeof newClient>;

function nodeOptions({ address, tlsAuthority, connectMs }: LinkOptions) {
  const { user, password, isTls } = address;
  return {
    RESP: 2 as const,
    name: 'greyctl',
    // Who comes while there is no connection is told so, and does not wait for one.
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: 'disabled' as const,
    // A timer a command is dear; connection.ts has one for all that is asked at once, and `inTime` those of connecting.
    commandOptions: { timeout: 0 },
    ...(user !== undefined && { username: user }),
    ...(password !== undefined && { password }),
    socket: {
      connectTimeout: connectMs,
      // connection.ts connects anew.
      reconnectStrategy: false as const,
      ...(isTls && { tls: true as const, ...(tlsAuthority !== undefined && { ca: tlsAuthority }) }),
    },
  };
}

function newClient(options: LinkOptions, { host, port }: HostPort, database: number) {
  const { socket, ...rest } = nodeOptions(options);
  return createClient({
    ...rest,
    database,
    socket: { ...socket, host, port },
  });
}

/** What `work` on a client comes to; a client that fails, or takes longer, is destroyed. */
async function inTime<T>(client: { destroy(): unknown }, limitMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer within ${limitMs / 1000} s`));
    }, limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } catch (error) {
    client.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function sender(client: Client): Send {
  return (args) => client.sendCommand<Reply>([...args]);
}

async function serverLink(
  options: LinkOptions,
  place: HostPort,
  onLost: (error: unknown) => void,
): Promise<Link> {
  const client = newClient(options, place, options.address.database);
  client.on('error', onLost);
  // The greeting and the password are a part of it.
  await inTime(client, options.connectMs, client.connect());
  const send = sender(client);
  return {
    isCluster: false,
    send: (_, args) => send(args),
    bytes: async (key) => (await client.sendCommand<Buffer | null>(['GET', key], asBytes)) ?? Buffer.alloc(0),
    nodes: () => Promise.resolve([send]),
    destroy: () => {
      client.destroy();
    },
  };
}

/** What a server says that does not let somebody in. */
export const refusal = /^(NOAUTH|WRONGPASS|NOPERM)|invalid password|Client sent AUTH|AUTH <password>/i;

/** As whom something is asked; as nobody without both. */
type Credentials = Pick<RedisAddress, 'user' | 'password'>;

async function askSentinel(
  options: LinkOptions,
  sentinel: HostPort,
  { user, password }: Credentials,
): Promise<HostPort | undefined> {
  const address = { ...options.address, user, password };
  const client = newClient({ ...options, address }, sentinel, 0);
  client.on('error', () => undefined);
  const ask = async () => {
    await client.connect();
    return sender(client)(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', address.master ?? '']);
  };
  const [host, port] = listOf(await inTime(client, options.connectMs, ask()));
  client.destroy();
  return typeof host === 'string' ? { host, port: Number(port) } : undefined;
}

/** Asks with a password only where one is wanted. */
async function askAdmitted(options: LinkOptions, sentinel: HostPort): Promise<HostPort | undefined> {
  const { user, password, sentinelPassword } = options.address;
  return askSentinel(options, sentinel, {}).catch((error: unknown) => {
    if (!(error instanceof ErrorReply && error.message.startsWith('NOAUTH'))) throw error;
    const own = sentinelPassword === undefined ? { user, password } : { password: sentinelPassword };
    return askSentinel(options, sentinel, own);
  });
}

/** The master as the first Sentinel knows it that answers; else what is to be mended first: a password, a name, a Sentinel. */
async function findMaster(options: LinkOptions): Promise<HostPort> {
  const { hosts, master = '' } = options.address;
  let refused: Error | undefined;
  let unknown: Error | undefined;
  let problem: unknown;
  for (const sentinel of hosts) {
    const name = `the Sentinel ${sentinel.host}:${sentinel.port}`;
    try {
      const found = await askAdmitted(options, sentinel);
      if (found) return found;
      unknown ??= new Error(`${name} knows no master "${master}"`);
    } catch (error) {
      if (error instanceof ErrorReply && refusal.test(error.message))
        refused ??= new Error(`${name} refuses this user or password`, { cause: error });
      else problem = error;
    }
  }
  throw refused ?? unknown ?? problem;
}

async function sentinelLink(options: LinkOptions, onLost: (error: unknown) => void): Promise<Link> {
  const place = await findMaster(options);
  const link = await serverLink(options, place, onLost);
  const [role] = listOf(await inTime(link, options.connectMs, link.send('', ['ROLE'])));
  if (role === 'master') return link;
  link.destroy();
  throw new Error(`${place.host}:${place.port} is not a master yet`);
}

async function clusterLink(options: LinkOptions, onLost: (error: unknown) => void): Promise<Link> {
  const { RESP, socket, ...defaults } = nodeOptions(options);
  const cluster = createCluster({
    RESP,
    rootNodes: options.address.hosts.map(({ host, port }) => ({ socket: { ...socket, host, port } })),
    defaults: { ...defaults, socket },
  });
  // One of the nodes named may be away: the others tell where all are.
  cluster.on('error', () => undefined);
  await inTime(cluster, options.connectMs, cluster.connect());
  cluster.on('node-error', onLost);
  return {
    isCluster: true,
    send: (key, args) => cluster.sendCommand<Reply>(key, false, [...args]),
    bytes: async (key) =>
      (await cluster.sendCommand<Buffer | null>(key, false, ['GET', key], asBytes)) ?? Buffer.alloc(0),
    nodes: () =>
      Promise.all(
        cluster.masters.map(async (node): Promise<Send> => {
          const client = await cluster.nodeClient(node);
          return (args) => client.sendCommand<Reply>([...args]);
        }),
      ),
    destroy: () => {
      cluster.destroy();
    },
  };
}

/** Connects once. `onLost` is called, maybe several times, when the link is of no use any more. */
export function connect(options: LinkOptions, onLost: (error: unknown) => void): Promise<Link> {
  const { kind, hosts } = options.address;
  switch (kind) {
    case 'single':
      return serverLink(options, hosts[0] ?? { host: '127.0.0.1', port: 6379 }, onLost);
    case 'sentinel':
      return sentinelLink(options, onLost);
    case 'cluster':
      return clusterLink(options, onLost);
  }
}
