import type { Server, Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import type { PolicyRequest } from '../policy/parser.js';
import { serveConnection, type Connection } from './connection.js';
import { listen, type ListenAddress } from './listen.js';
import type { Log, Warn } from './log.js';

export interface ServerOptions {
  readonly places: readonly ListenAddress[];
  readonly backlog: number;
  readonly maxConnections: number;
  readonly admits: (remoteAddress: string | undefined) => boolean;
  readonly answer: (request: PolicyRequest) => Promise<string>;
  readonly closeAfterAnswer: boolean;
  /** Log connects and disconnects. */
  readonly isVerbose: boolean;
}

export interface PolicyServer {
  /** Where it listens, as Postfix writes it: `inet:127.0.0.1:60000`. */
  readonly names: readonly string[];
  /** Safe to call again. Accepts no more, answers what was asked, closes; after `graceMs` closes what is still open. */
  stop(graceMs: number): Promise<void>;
}

function peerName(socket: Socket): string {
  return socket.remoteAddress === undefined
    ? 'a local client'
    : `${socket.remoteAddress}:${socket.remotePort ?? 0}`;
}

/** Listens on all places and serves who connects. Rejects with a Failure when one of the places cannot be had, and then holds none. */
export async function startServer(options: ServerOptions, log: Log, warn: Warn): Promise<PolicyServer> {
  const open = new Map<Socket, Connection>();

  function accept(socket: Socket): void {
    const peer = peerName(socket);
    if (!options.admits(socket.remoteAddress)) {
      socket.destroy();
      warn('refused', `refused a connection from ${peer}: not in --allow`);
      return;
    }
    if (open.size >= options.maxConnections) {
      socket.destroy();
      warn(
        'connections',
        `refused a connection from ${peer}: ${options.maxConnections} are open already (--max-connections)`,
      );
      return;
    }
    if (options.isVerbose) log('info', `connect from ${peer}`);
    const connection = serveConnection(socket, {
      answer: options.answer,
      closeAfterAnswer: options.closeAfterAnswer,
      onBroken: (why) => {
        warn(`broken: ${why.replace(/:.*/s, '')}`, `closed the connection from ${peer}: ${why}`);
      },
    });
    open.set(socket, connection);
    socket.once('close', () => {
      open.delete(socket);
      if (options.isVerbose) log('info', `disconnect from ${peer}`);
    });
  }

  const servers: Server[] = [];
  const names: string[] = [];
  try {
    for (const place of options.places) {
      const { server, name } = await listen(place, options.backlog, accept);
      // E.g. no file descriptors left: those that are connected are served on.
      server.on('error', (error) => {
        warn('accept', `cannot accept a connection: ${error.message}`);
      });
      servers.push(server);
      names.push(name);
    }
  } catch (error) {
    for (const server of servers) server.close();
    throw error;
  }

  return {
    names,
    stop: async (graceMs) => {
      const closed = servers.map((server) => new Promise((resolve) => server.close(resolve)));
      // What has reached this host by now is read first.
      await setImmediate();
      await setImmediate();
      for (const connection of open.values()) connection.finish();
      const late = new Promise<void>((resolve) => {
        setTimeout(() => {
          for (const socket of open.keys()) socket.destroy();
          resolve();
        }, graceMs).unref();
      });
      await Promise.race([Promise.all(closed), late]);
    },
  };
}
