/** What strangers may do to the server and, by the names they choose, to whoever looks at what it remembers. */
import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { printable } from '#src/greylist/printable.js';
import { run } from '../support/greyctl.js';
import { request } from '../support/policy-client.js';
import { testServer } from '../support/server.js';

const outside = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

test(
  'hosts that --allow does not name are refused without a reply, those that it names are answered',
  outside === undefined ? { skip: 'this host has no address but loopback' } : {},
  async (t) => {
    const host = outside ?? '';
    const closed = await testServer(t, [`--inet=${host}:0`, '--allow=203.0.113.9/32']);
    await (await closed.client()).expectClosed();
    await closed.expectStderr(/^refused a connection from \S+: not in --allow$/m);
    const open = await testServer(t, [`--inet=${host}:0`, `--allow=${host}/32`]);
    assert.match(await (await open.client()).ask(request()), /^DEFER/);
  },
);

const hostile =
  "x\u001b]0;owned\u0007\u001b[2J\u202e\u2066\u009b%s%n$(id)`id`';DROP TABLE entries;--\u2028@evil\u200b.example";

test('hostile addresses are harmless in every command that shows what is remembered', async (t) => {
  const server = await testServer(t);
  const client = await server.client();
  assert.match(
    await client.ask(request({ sender: hostile, recipient: hostile, client_name: hostile })),
    /^DEFER/,
  );
  const commands = [
    ['db', 'list'],
    ['db', 'list', '--json'],
    ['db', 'show', '192.0.2.5', hostile, hostile],
    ['db', 'show', '--json', '192.0.2.5', hostile, hostile],
    ['db', 'export'],
    ['db', 'purge', '--dry-run', `--sender=${hostile}`],
    ['stats'],
    ['stats', '--json'],
    ['explain', '192.0.2.5', hostile, hostile],
    ['explain', '--json', '192.0.2.5', hostile, hostile],
    ['whitelist', 'test', hostile],
  ];
  for (const command of commands) {
    const { status, stdout, stderr } = await run([...command, `--db=${server.db}`]);
    assert.notEqual(status, 70, command.join(' '));
    const lines = (stdout + stderr).split(/[\n\t]/);
    for (const line of lines) assert.equal(printable(line), line, command.join(' '));
  }
  const listed = await run(['db', 'list', '--json', `--db=${server.db}`]);
  assert.match(listed.stdout, /%s%n\$\(id\)`id`';DROP TABLE entries;--/i, 'is kept as it is');
  assert.equal((JSON.parse(listed.stdout) as { recipient: string }).recipient, hostile.toLowerCase());
});
