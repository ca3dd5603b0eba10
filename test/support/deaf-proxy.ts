/** A proxy that lets all through to a server, and at a moment of the test's choice no answer back: what was asked is done, and nobody hears. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

export interface DeafProxy {
  readonly port: number;
  /** From the next data on that hold the word no answer comes through. */
  loseAnswers(): void;
  isDeaf(): boolean;
  /** Answers come through again, to who asks anew. */
  hear(): void;
}

/** Listens in the place of the server on `port` of this host, until the test ends. */
export async function deafProxy(t: TestContext, port: number, word: string): Promise<DeafProxy> {
  let isDeaf = false;
  let isWaiting = false;
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  };
  const server = createServer((client) => {
    const redis = connect(port, '127.0.0.1');
    [client, redis].forEach(keep);
    client.on('data', (data) => {
      isDeaf ||= isWaiting && data.includes(word);
      redis.write(data);
    });
    redis.on('data', (data) => {
      if (!isDeaf) client.write(data);
    });
    client.on('close', () => redis.end());
    redis.on('close', () => client.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  // A TCP server that listens has an address of this form.
  const place = server.address() as AddressInfo;
  return {
    port: place.port,
    loseAnswers: () => {
      isWaiting = true;
    },
    isDeaf: () => isDeaf,
    hear: () => {
      [isDeaf, isWaiting] = [false, false];
    },
  };
}
