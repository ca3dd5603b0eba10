import { createHmac, randomBytes } from 'node:crypto';
import { link, open, readFile, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { PreparedAttempt } from '../greylist/decide.js';
import { codeOf, Failure, reasonOf } from '../greylist/failure.js';
import type { EntryFilter, Store } from '../greylist/store.js';
import { giveToFolderOwner, refuseStrangers } from './owner.js';
import type { Triplet } from '../greylist/triplet.js';

const keyBytes = 32;

/**
 * `store` behind keyed hashes: it never sees an address. Client, sender and recipient are hashed one by one (HMAC-SHA-256, the first
 * 128 bits in hexadecimal), so that all entries of one address can still be found, by whoever has the key.
 */
export function hashed(store: Store, key: Buffer): Store {
  const hide = (part: string, text: string) =>
    createHmac('sha256', key).update(`${part}\0${text}`).digest('hex').slice(0, 32);
  const hideRecipient = (recipient: string) => hide('recipient', recipient);
  const hideTriplet = (triplet: Triplet): Triplet => ({
    client: hide('client', triplet.client),
    sender: hide('sender', triplet.sender),
    recipient: hideRecipient(triplet.recipient),
  });
  const hideAddress = (address: string) => hide('address', address);
  const hideAttempt = (attempt: PreparedAttempt): PreparedAttempt =>
    attempt.exemption === undefined
      ? { ...attempt, triplet: hideTriplet(attempt.triplet), address: hideAddress(attempt.address) }
      : attempt;
  const hideFilter = ({ client, sender, recipient, ...rest }: EntryFilter): EntryFilter => ({
    ...rest,
    client: client === undefined ? undefined : hide('client', client),
    sender: sender === undefined ? undefined : hide('sender', sender),
    recipient: recipient === undefined ? undefined : hideRecipient(recipient),
  });
  return {
    settle: (attempts) => store.settle(attempts.map(hideAttempt)),
    recall: (triplet, address) => store.recall(hideTriplet(triplet), hideAddress(address)),
    entries: (filter, limit, from) => store.entries(hideFilter(filter), limit, from),
    sorted: (filter, order, limit, from) => store.sorted(hideFilter(filter), order, limit, from),
    remove: (entries, clients) => store.remove(entries, clients),
    release: (triplets, now) => store.release(triplets, now),
    windows: () => store.windows(),
    openWindow: (recipient, until) => store.openWindow(hideRecipient(recipient), until),
    closeWindow: (recipient) => store.closeWindow(hideRecipient(recipient)),
    forgetClient: (address) => store.forgetClient(hideAddress(address)),
    clients: (limit, from) => store.clients(limit, from),
    merge: (entries, clients, more) =>
      store.merge(
        entries.map((entry) => ({ ...entry, triplet: hideTriplet(entry.triplet) })),
        clients.map((client) => ({ ...client, address: hideAddress(client.address) })),
        more && {
          ...more,
          windows: more.windows.map((window) => ({ ...window, recipient: hideRecipient(window.recipient) })),
        },
      ),
    purge: (now, rules, limit) => store.purge(now, rules, limit),
    tallies: (since) => store.tallies(since),
    delays: (since) => store.delays(since),
    hourlyDelays: () => store.hourlyDelays(),
    addCounts: (move) => store.addCounts(move),
    waiting: (query) => store.waiting(query),
    forgetTallies: (before, limit) => store.forgetTallies(before, limit),
    listed: () => store.listed(),
    listedRevision: () => store.listedRevision(),
    addListed: (entry) => store.addListed(entry),
    removeListed: (kind, pattern) => store.removeListed(kind, pattern),
    info: () => store.info(),
    close: () => store.close(),
  };
}

/** Tells keys apart without giving them away. */
export function privacyMark(key: Buffer | undefined): string {
  return key ? createHmac('sha256', key).update('mark').digest('hex').slice(0, 16) : 'addresses';
}

/** Makes a key where there is none; the file is there with its whole content or not at all. */
async function createKey(file: string): Promise<void> {
  if (await stat(file).catch(() => undefined)) return;
  const draft = `${file}.${process.pid}`;
  const created = await open(draft, 'wx', 0o600);
  try {
    await created.writeFile(`${randomBytes(keyBytes).toString('hex')}\n`);
    giveToFolderOwner(created.fd, file);
    await created.sync();
    await link(draft, file).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
  } finally {
    await created.close();
    await unlink(draft);
  }
}

/**
 * The key kept in `file`, 64 hexadecimal digits. Where there is no such file one is made with mode 0600, without following links;
 * without the key the hashed entries cannot be found again.
 */
export async function privacyKey(file: string): Promise<Buffer> {
  try {
    await createKey(file);
  } catch (error) {
    throw new Failure(`cannot create the privacy key ${file}: ${reasonOf(error)}`, {
      cause: error,
      ...(codeOf(error) === 'ENOENT' && { hint: `mkdir -p ${path.dirname(file)}` }),
    });
  }
  let text: string;
  try {
    refuseStrangers(file);
    text = await readFile(file, 'latin1');
  } catch (error) {
    throw new Failure(`cannot read the privacy key ${file}: ${reasonOf(error)}`, { cause: error });
  }
  if (!/^[0-9a-f]{64}\s*$/.test(text)) {
    throw new Failure(`cannot use the privacy key ${file}: it is not 64 hexadecimal digits`);
  }
  return Buffer.from(text.trim(), 'hex');
}
