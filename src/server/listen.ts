/** Sockets to listen on: TCP, unix, and those that systemd hands over. */
import { lstat, chmod, unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { contains, parseAddress, parseNetwork, type Network } from '../greylist/address.js';
import { Failure, reasonOf } from '../greylist/failure.js';

/** One place to listen on. */
export type Listen =
  | { readonly type: 'inet'; readonly host: string; readonly port: number }
  | { readonly type: 'unix'; readonly path: string; readonly mode: number }
  | { readonly type: 'systemd'; readonly fd: number };

const loopback = ['127.0.0.0/8', '::1/128'].map((text) => parseNetwork(text));

/** Tells whether a client at this address may connect; unix sockets have no address and rely on their mode. */
export function createAdmission(allowed: readonly Network[]): (remoteAddress: string | undefined) => boolean {
  const networks = [...loopback, ...allowed];
  return (remoteAddress) => {
    if (remoteAddress === undefined) return true;
    const address = parseAddress(remoteAddress.replace(/%.*/, ''));
    return address !== undefined && networks.some((network) => network && contains(network, address));
  };
}

/** True for an address that only this host reaches. */
export function isLoopback(host: string): boolean {
  const address = parseAddress(host);
  return address !== undefined && loopback.some((network) => network && contains(network, address));
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
  if ('code' in error && error.code === 'EADDRINUSE') {
    return { hint: 'stop what listens there (ss -ltnp), or name another address with --inet' };
  }
  return {};
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => {
      resolve(false);
    });
  });
}

/** Removes a socket that a dead server left behind; refuses anything else that is in the way. */
async function makeWay(path: string): Promise<void> {
  const there = await lstat(path).catch(() => undefined);
  if (!there) return;
  if (!there.isSocket())
    throw new Failure(`cannot listen on unix:${path}: a file that is no socket is in the way`);
  if (await answers(path)) {
    throw new Failure(`cannot listen on unix:${path}: another server answers there`, {
      hint: 'stop the other server, or name another path with --unix',
    });
  }
  await unlink(path);
}

function serverName(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === 'string') return `unix:${address ?? ''}`;
  return `inet:${address.address.includes(':') ? `[${address.address}]` : address.address}:${address.port}`;
}

/** Starts listening; resolves to the server and the name Postfix knows the place by (`inet:HOST:PORT`, `unix:PATH`). Rejects with a Failure. */
export async function listen(place: Listen, backlog: number): Promise<{ server: Server; name: string }> {
  const server = createServer({ noDelay: true, keepAlive: true });
  switch (place.type) {
    case 'inet':
      await listening(server, `inet:${place.host}:${place.port}`, () => {
        server.listen({ host: place.host, port: place.port, backlog });
      });
      break;
    case 'unix':
      await makeWay(place.path);
      await listening(server, `unix:${place.path}`, () => {
        server.listen({ path: place.path, backlog });
      });
      await chmod(place.path, place.mode);
      break;
    case 'systemd':
      await listening(server, `file descriptor ${place.fd}`, () => {
        server.listen({ fd: place.fd, backlog });
      });
      break;
  }
  return { server, name: serverName(server) };
}

/**
 * The sockets systemd handed over (sd_listen_fds(3)): descriptors from 3 on, if LISTEN_PID is this process. The variables are deleted,
 * so that no child takes them for its own.
 */
export function systemdSockets(environment: NodeJS.ProcessEnv, pid: number): Listen[] {
  const { LISTEN_PID: forPid, LISTEN_FDS: count } = environment;
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES'])
    Reflect.deleteProperty(environment, name);
  if (forPid !== String(pid) || !/^\d{1,3}$/.test(count ?? '')) return [];
  return Array.from({ length: Number(count) }, (_, index) => ({ type: 'systemd', fd: 3 + index }));
}
