/** Sockets to listen on: TCP, unix, and those that systemd hands over. */
import { lstat, readFile, readlink, unlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { contains, isLoopback, parseAddress, type Network } from '../greylist/address.js';
import { codeOf, Failure, reasonOf } from '../greylist/failure.js';

/** Where to listen. */
export type ListenAddress =
  | { readonly type: 'inet'; readonly host: string; readonly port: number }
  | { readonly type: 'unix'; readonly path: string; readonly mode: number }
  | { readonly type: 'systemd'; readonly fd: number };

/** Tells whether a client at this address may connect; unix sockets have no address and rely on their mode. */
export function createAdmission(allowed: readonly Network[]): (remoteAddress: string | undefined) => boolean {
  return (remoteAddress) => {
    if (remoteAddress === undefined) return true;
    const address = parseAddress(remoteAddress.replace(/%.*/, ''));
    return (
      address !== undefined && (isLoopback(address) || allowed.some((network) => contains(network, address)))
    );
  };
}

function listening(server: Server, where: string, start: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(
        new Failure(`cannot listen on ${where}: ${reasonOf(error)}`, { cause: error, ...hintFor(error) }),
      );
    });
    server.once('listening', resolve);
    start();
  });
}

function hintFor(error: Error): { hint?: string } {
  if (codeOf(error) === 'EADDRINUSE') {
    return { hint: 'stop what listens there (ss -ltnp), or name another address with --inet' };
  }
  return {};
}

/** True unless nobody listens on the socket any more; a server that is busy, or not ours to ask, is alive. */
function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error) => {
      resolve(codeOf(error) !== 'ECONNREFUSED');
    });
  });
}

/** Removes a socket that a dead server left behind; refuses anything else that is in the way. */
async function makeWay(path: string): Promise<void> {
  const there = await lstat(path).catch(() => undefined);
  if (!there) return;
  if (!there.isSocket()) {
    const what = there.isSymbolicLink() ? 'a link' : 'a file that is no socket';
    throw new Failure(`cannot listen on unix:${path}: ${what} is in the way`, {
      hint: `ls -l ${path} shows whose it is; remove it, or name another path with --unix`,
    });
  }
  if (await isAlive(path)) {
    throw new Failure(`cannot listen on unix:${path}: another server answers there`, {
      hint: 'stop the other server, or name another path with --unix',
    });
  }
  await unlink(path).catch((error: unknown) => {
    throw new Failure(
      `cannot listen on unix:${path}: a dead socket is in the way and cannot be removed: ${reasonOf(error)}`,
      { cause: error, hint: `ls -l ${path} shows whose it is; name another path with --unix` },
    );
  });
}

/** The socket has its mode from its first moment; a later chmod by path could be led elsewhere by whoever owns the folder. */
function listenWithMode(server: Server, path: string, mode: number, backlog: number): void {
  const before = process.umask(0o777 & ~mode);
  try {
    // Binds before it returns.
    server.listen({ path, backlog });
  } finally {
    process.umask(before);
  }
}

/** Where a unix socket that was handed over is in the file system: proc(5), /proc/net/unix, by its inode. */
async function handedOverPath(fd: number): Promise<string | undefined> {
  try {
    const [, inode = ''] = /^socket:\[(\d+)\]$/.exec(await readlink(`/proc/self/fd/${fd}`)) ?? [];
    const sockets = await readFile('/proc/net/unix', 'utf8');
    const line = sockets.split('\n').find((candidate) => candidate.split(/ +/)[6] === inode);
    return /\S+( +\S+){6} (.+)$/.exec(line ?? '')?.[2];
  } catch {
    return undefined;
  }
}

async function serverName(server: Server, place: ListenAddress): Promise<string> {
  const address = server.address();
  if (address !== null && typeof address !== 'string') {
    return `inet:${address.address.includes(':') ? `[${address.address}]` : address.address}:${address.port}`;
  }
  if (place.type === 'systemd')
    return `unix:${(await handedOverPath(place.fd)) ?? `(file descriptor ${place.fd})`}`;
  return `unix:${address ?? ''}`;
}

/** Starts listening, with `accept` in place from the first connection on; resolves to the server and the name Postfix knows the place by (`inet:HOST:PORT`, `unix:PATH`). Rejects with a Failure. */
export async function listen(
  place: ListenAddress,
  backlog: number,
  accept: (socket: Socket) => void,
): Promise<{ server: Server; name: string }> {
  const server = createServer({ noDelay: true, keepAlive: true, allowHalfOpen: true }, accept);
  switch (place.type) {
    case 'inet':
      await listening(server, `inet:${place.host}:${place.port}`, () => {
        server.listen({ host: place.host, port: place.port, backlog });
      });
      break;
    case 'unix':
      await makeWay(place.path);
      await listening(server, `unix:${place.path}`, () => {
        listenWithMode(server, place.path, place.mode, backlog);
      });
      break;
    case 'systemd':
      await listening(server, `file descriptor ${place.fd}`, () => {
        server.listen({ fd: place.fd, backlog });
      });
      break;
  }
  return { server, name: await serverName(server, place) };
}

/**
 * The sockets systemd handed over (sd_listen_fds(3)): descriptors from 3 on, if LISTEN_PID is this process. The variables are deleted,
 * so that no child takes them for its own.
 */
export function systemdSockets(environment: NodeJS.ProcessEnv, pid: number): ListenAddress[] {
  const { LISTEN_PID: forPid, LISTEN_FDS: count } = environment;
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES'])
    Reflect.deleteProperty(environment, name);
  if (forPid !== String(pid) || !/^\d{1,3}$/.test(count ?? '')) return [];
  return Array.from({ length: Number(count) }, (_, index) => ({ type: 'systemd', fd: 3 + index }));
}
