import type { TestContext } from 'node:test';
import { serve, type CommandOptions, type Server } from './greyctl.js';
import { connect, type PolicyClient } from './policy-client.js';
import { temporaryFolder } from './temporary.js';

export interface TestServer extends Server {
  /** A folder of the test's own; the database is `db` in it, unless `args` name another. */
  readonly folder: string;
  readonly db: string;
  /** A new connection, closed when the test ends. */
  client(endpoint?: string): Promise<PolicyClient>;
}

/** A server for one test: own database, no whitelist files unless `args` name some, a port of its own unless `args` say where to listen. */
export async function testServer(
  t: TestContext,
  args: readonly string[] = [],
  options: CommandOptions & { folder?: string } = {},
): Promise<TestServer> {
  const folder = options.folder ?? (await temporaryFolder(t));
  const db = `${folder}/greyctl.db`;
  const places = args.some((arg) => /^--(inet|unix)\b/.test(arg)) ? [] : ['--inet=127.0.0.1:0'];
  const lists = ['clients', 'recipients', 'senders']
    .filter((kind) => !args.some((arg) => arg.startsWith(`--whitelist-${kind}`)))
    .map((kind) => `--whitelist-${kind}=${folder}/none.local`);
  const database = args.some((arg) => arg.startsWith('--db=')) ? [] : [`--db=${db}`];
  const server = await serve([...database, ...places, ...lists, ...args], options);
  t.after(() => server.stop());
  return {
    ...server,
    folder,
    db,
    client: async (endpoint = server.endpoint) => {
      const client = await connect(endpoint);
      t.after(() => {
        client.close();
      });
      return client;
    },
  };
}
