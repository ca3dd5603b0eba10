/** A server that talks as Redis does, and says what a test wants; nothing where the test says nothing. */
import { createServer, type AddressInfo, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

export interface FakeRedis {
  readonly port: number;
  /** How many are connected. */
  connections(): number;
}

/** The commands that `text` begins with, and what of another is there. */
function commandsIn(text: string): { readonly commands: string[][]; readonly rest: string } {
  const commands: string[][] = [];
  let rest = text;
  for (let count; (count = /^\*(\d+)\r\n/.exec(rest)?.[1]);) {
    const whole = new RegExp(`^\\*\\d+\\r\\n(?:\\$\\d+\\r\\n[^\\r]*\\r\\n){${count}}`).exec(rest)?.[0];
    if (whole === undefined) break;
    commands.push(whole.match(/(?<=\$\d+\r\n)[^\r]*/g) ?? []);
    rest = rest.slice(whole.length);
  }
  return { commands, rest };
}

/** A list of texts as Redis sends it. */
export function listReply(...parts: readonly string[]): string {
  return `*${parts.length}\r\n${parts.map((part) => `$${part.length}\r\n${part}\r\n`).join('')}`;
}

/** Listens on a free port of this host until the test ends. `answer` gives the whole reply to a command, or none. */
export async function fakeRedis(
  t: TestContext,
  answer: (command: readonly string[]) => string | undefined,
): Promise<FakeRedis> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    let text = '';
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    socket.on('data', (data) => {
      const { commands, rest } = commandsIn(text + data.toString('latin1'));
      text = rest;
      for (const command of commands) socket.write(answer(command) ?? '');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  // A TCP server that listens has an address of this form.
  const place = server.address() as AddressInfo;
  return { port: place.port, connections: () => sockets.size };
}
