import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { parseAddress } from '#src/greylist/address.js';
import { chooseListFiles, shippedList } from '#src/whitelist/defaults.js';
import { compile } from '#src/whitelist/matcher.js';
import { parseList } from '#src/whitelist/syntax.js';

/** The chosen files, `KIND PATH` each, with the folder of the shipped lists left out, and the notes. */
function chosen(...existing: string[]) {
  const kinds = (['client', 'recipient', 'sender'] as const).map((kind) =>
    chooseListFiles(kind, (file) => existing.includes(file)),
  );
  const files = kinds.flatMap((kind) => kind.files);
  const notes = kinds.flatMap((kind) => kind.note ?? []);
  const folder = path.dirname(shippedList('client') ?? assert.fail());
  return { files: files.map((file) => `${file.kind} ${file.path.replace(folder, 'shipped')}`), notes };
}

test('without any file the shipped lists are read, and a .local that may come', () => {
  assert.deepEqual(chosen(), {
    files: [
      'client shipped/clients',
      'client /etc/greyctl/whitelist_clients.local',
      'recipient shipped/recipients',
      'recipient /etc/greyctl/whitelist_recipients.local',
      'sender /etc/greyctl/whitelist_senders.local',
    ],
    notes: [],
  });
});

test("greyctl's own files win over postgrey's", () => {
  const { files, notes } = chosen(
    '/etc/greyctl/whitelist_clients',
    '/etc/greyctl/whitelist_senders',
    '/etc/postgrey/whitelist_clients',
    '/etc/postgrey/whitelist_senders',
  );
  assert.deepEqual(files.slice(0, 2), [
    'client /etc/greyctl/whitelist_clients',
    'client /etc/greyctl/whitelist_clients.local',
  ]);
  assert.deepEqual(files.slice(4), [
    'sender /etc/greyctl/whitelist_senders',
    'sender /etc/greyctl/whitelist_senders.local',
  ]);
  assert.deepEqual(notes, [
    "not using postgrey's /etc/postgrey/whitelist_clients, because there is /etc/greyctl/whitelist_clients",
  ]);
});

test('a .local alone adds to the shipped list', () => {
  assert.deepEqual(
    chosen('/etc/greyctl/whitelist_clients.local', '/etc/postgrey/whitelist_clients').files.slice(0, 2),
    ['client shipped/clients', 'client /etc/greyctl/whitelist_clients.local'],
  );
});

test("where greyctl has none, postgrey's files are read and the operator is told", () => {
  const { files, notes } = chosen(
    '/etc/postgrey/whitelist_clients',
    '/etc/postgrey/whitelist_clients.local',
    '/etc/postfix/postgrey_whitelist_recipients',
  );
  assert.deepEqual(files.slice(0, 4), [
    'client /etc/postgrey/whitelist_clients',
    'client /etc/postgrey/whitelist_clients.local',
    'recipient /etc/postfix/postgrey_whitelist_recipients',
    'recipient /etc/postfix/postgrey_whitelist_recipients.local',
  ]);
  assert.deepEqual(notes, [
    "using postgrey's /etc/postgrey/whitelist_clients and /etc/postgrey/whitelist_clients.local, because there is no /etc/greyctl/whitelist_clients",
    "using postgrey's /etc/postfix/postgrey_whitelist_recipients, because there is no /etc/greyctl/whitelist_recipients",
  ]);
});

test("a list of greyctl's own takes the place of those that postgrey left, and it is said", () => {
  const { files, notes } = chosen('/etc/postgrey/whitelist_clients', '/etc/greyctl/whitelist_clients.local');
  assert.deepEqual(files.slice(0, 2), [
    `client shipped/clients`,
    'client /etc/greyctl/whitelist_clients.local',
  ]);
  assert.deepEqual(notes, [
    "not using postgrey's /etc/postgrey/whitelist_clients, because there is /etc/greyctl/whitelist_clients.local",
  ]);
});

function shippedEntries(kind: 'client' | 'recipient') {
  const file = shippedList(kind) ?? assert.fail();
  const { entries, problems } = parseList(kind, readFileSync(file, 'utf8'), file);
  assert.deepEqual(problems, []);
  return entries;
}

test('the shipped lists have no bad line and no entry twice', () => {
  for (const kind of ['client', 'recipient'] as const) {
    const patterns = shippedEntries(kind).map((entry) => entry.pattern);
    assert.equal(new Set(patterns).size, patterns.length);
  }
});

test("the shipped lists know providers' mail servers, not their customers' machines, and never a role of another name", () => {
  const whitelist = compile([...shippedEntries('client'), ...shippedEntries('recipient')]);
  const client = parseAddress('192.0.2.1') ?? assert.fail();
  const reason = (clientName: string, recipient = 'joe@example.com') =>
    whitelist.match({ client, clientName, sender: '', recipient }, 0)?.exemption;
  for (const name of [
    'mail-lf1-f52.google.com',
    'mail-dm6nam10on2081.outbound.protection.outlook.com',
    'a8-31.smtp-out.amazonses.com',
    'b224-8.smtp-out.eu-central-1.amazonses.com',
    'p3plsmtpa09-01.prod.phx3.secureserver.net',
    'mailrelay3-1.pub.mailoutpod2-cph3.one.com',
  ])
    assert.equal(reason(name), 'client whitelist', name);
  for (const name of ['unknown', 'ip-72-167-33-213.ip.secureserver.net', 'mail.notgoogle.com', 'www.one.com'])
    assert.equal(reason(name), undefined, name);
  assert.equal(reason('unknown', 'Postmaster@example.com'), 'recipient whitelist');
  assert.equal(reason('unknown', 'abuse+x@example.com'), 'recipient whitelist');
  assert.equal(reason('unknown', 'webabuse@example.com'), undefined);
});
