/** Whom `db forget` is about, and what there is of them. */
import type { Values } from '../../config/options.js';
import { settingsOf } from '../../config/resolve.js';
import { addressText, contains, parseNetwork, type Network } from '../../greylist/address.js';
import { Failure } from '../../greylist/failure.js';
import { excerpt } from '../../greylist/printable.js';
import type { KeySettings } from '../../greylist/settings.js';
import {
  allClients,
  allEntries,
  type EntryFilter,
  type Store,
  type StoredClient,
  type StoredEntry,
} from '../../greylist/store.js';
import { foldSender, networkKey } from '../../greylist/triplet.js';
import { countOf, inBatches } from './batches.js';
import { domainText, refuseWithPrivacy } from './filter.js';

export type Subject =
  | { readonly kind: 'address'; readonly text: string; readonly isHashed: boolean }
  | { readonly kind: 'domain'; readonly text: string }
  | {
      readonly kind: 'client' | 'network';
      readonly text: string;
      readonly network: Network;
      readonly settings: KeySettings;
    };

/** What was removed of a subject, or would be. */
export interface Forgotten {
  readonly subject: string;
  readonly kind: Subject['kind'];
  readonly asClient: number;
  readonly asSender: number;
  readonly asRecipient: number;
  /** Of a domain: entries with a sender or recipient there. */
  readonly inDomain: number;
  readonly awl: number;
  readonly windows: number;
}

/** What a word on the command line means; throws a Failure for one that means nothing, or cannot be found among hashes. */
export function subjectOf(word: string, values: Values): Subject {
  const network = parseNetwork(word);
  if (network) {
    const isWhole = network.prefixLength === network.address.bytes.length * 8;
    if (!isWhole) refuseWithPrivacy(values, 'a network');
    return { kind: isWhole ? 'client' : 'network', text: word, network, settings: settingsOf(values) };
  }
  if (/.@./.test(word)) return { kind: 'address', text: word, isHashed: values.privacy };
  const domain = domainText(word);
  if (!/^[^\s/@]+\.[^\s/@]+$/.test(domain))
    throw new Failure(`"${excerpt(word)}" is no mail address, domain, client address or network`, {
      kind: 'usage',
    });
  refuseWithPrivacy(values, 'a domain');
  return { kind: 'domain', text: domain };
}

/** Removes, or only counts, the entries that a filter lets through, but for those that an earlier filter has had. */
async function removeEntries(
  store: Store,
  filter: EntryFilter,
  isDryRun: boolean,
  earlier?: EntryFilter,
): Promise<number> {
  if (!isDryRun) return inBatches(allEntries(store, filter), (batch) => removeKeys(store, batch));
  const again = earlier ? await countOf(allEntries(store, { ...earlier, ...filter })) : 0;
  return (await countOf(allEntries(store, filter))) - again;
}

function removeKeys(store: Store, batch: readonly StoredEntry[]): Promise<number> {
  return store.remove(
    batch.map(({ triplet }) => ({ triplet })),
    [],
  );
}

async function* where<T>(items: AsyncIterable<T>, fits: (item: T) => boolean): AsyncGenerator<T> {
  for await (const item of items) if (fits(item)) yield item;
}

const nothing = { asClient: 0, asSender: 0, asRecipient: 0, inDomain: 0, awl: 0, windows: 0 };

async function forgetAddress(store: Store, text: string, isHashed: boolean, isDryRun: boolean) {
  const sender = { sender: foldSender(text) };
  const recipient = { recipient: text.toLowerCase() };
  const asSender = await removeEntries(store, sender, isDryRun);
  const exact = await removeEntries(store, recipient, isDryRun, sender);
  const isOpen = isDryRun
    ? (await store.recall({ client: '', sender: '', ...recipient }, '')).openUntil !== undefined
    : await store.closeWindow(recipient.recipient);
  const extended = isHashed
    ? nothing
    : await forgetExtended(store, recipient.recipient, sender.sender, isDryRun);
  return {
    ...nothing,
    asSender,
    asRecipient: exact + extended.asRecipient,
    windows: (isOpen ? 1 : 0) + extended.windows,
  };
}

/** Removes what is kept of `bob+anything@…`, who is `bob@…`; recipients are kept with their extension, senders without. */
async function forgetExtended(store: Store, recipient: string, sender: string, isDryRun: boolean) {
  const at = recipient.lastIndexOf('@');
  const [start, end] = [`${recipient.slice(0, at)}+`, recipient.slice(at)];
  const isMeant = (text: string) => text.startsWith(start) && text.endsWith(end);
  const found = where(
    allEntries(store, { domain: end.slice(1) }),
    ({ triplet }) => isMeant(triplet.recipient) && triplet.sender !== sender,
  );
  const asRecipient = await (isDryRun
    ? countOf(found)
    : inBatches(found, (batch) => removeKeys(store, batch)));
  const windows = (await store.windows()).filter((window) => isMeant(window.recipient));
  if (!isDryRun) for (const window of windows) await store.closeWindow(window.recipient);
  return { asRecipient, windows: windows.length };
}

async function forgetDomain(store: Store, domain: string, isDryRun: boolean) {
  const inDomain = await removeEntries(store, { domain }, isDryRun);
  // With the client key `domain` it may stand for clients, too.
  const asClient = await removeEntries(store, { client: domain }, isDryRun, { domain });
  const windows = (await store.windows()).filter(
    ({ recipient }) => recipient.endsWith(`@${domain}`) || recipient.endsWith(`.${domain}`),
  );
  if (!isDryRun) for (const { recipient } of windows) await store.closeWindow(recipient);
  return { ...nothing, inDomain, asClient, windows: windows.length };
}

async function forgetClient(store: Store, { address }: Network, settings: KeySettings, isDryRun: boolean) {
  const keys = new Set([
    networkKey(address, settings),
    networkKey(address, { ...settings, clientKey: 'subnet' }),
    networkKey(address, { ...settings, clientKey: 'host' }),
  ]);
  let asClient = 0;
  for (const client of keys) asClient += await removeEntries(store, { client }, isDryRun);
  const text = addressText(address);
  const isCounted = isDryRun
    ? (await store.recall({ client: '', sender: '', recipient: '' }, text)).client !== undefined
    : await store.forgetClient(text);
  return { ...nothing, asClient, awl: isCounted ? 1 : 0 };
}

/** The network that a stored client key stands for; undefined for a domain. */
function networkOfKey(key: string, settings: KeySettings): Network | undefined {
  const network = parseNetwork(key);
  if (!network || key.includes('/')) return network;
  const { family } = network.address;
  return { ...network, prefixLength: family === 4 ? settings.ipv4Prefix : settings.ipv6Prefix };
}

async function forgetNetwork(store: Store, network: Network, settings: KeySettings, isDryRun: boolean) {
  const isMeant = (key: string) => {
    const other = networkOfKey(key, settings);
    return other !== undefined && (contains(network, other.address) || contains(other, network.address));
  };
  const isCounted = ({ address }: StoredClient) => {
    const client = parseNetwork(address);
    return client !== undefined && contains(network, client.address);
  };
  const entries = where(allEntries(store, {}), ({ triplet }) => isMeant(triplet.client));
  const clients = where(allClients(store), isCounted);
  if (isDryRun) return { ...nothing, asClient: await countOf(entries), awl: await countOf(clients) };
  const asClient = await inBatches(entries, (batch) => removeKeys(store, batch));
  const awl = await inBatches(clients, (batch) =>
    store.remove(
      [],
      batch.map(({ address }) => ({ address })),
    ),
  );
  return { ...nothing, asClient, awl };
}

/** Removes everything about a subject, or only counts it. */
export async function forgetSubject(store: Store, subject: Subject, isDryRun: boolean): Promise<Forgotten> {
  const head = { subject: subject.text, kind: subject.kind };
  switch (subject.kind) {
    case 'address':
      return { ...head, ...(await forgetAddress(store, subject.text, subject.isHashed, isDryRun)) };
    case 'domain':
      return { ...head, ...(await forgetDomain(store, subject.text, isDryRun)) };
    case 'client':
      return { ...head, ...(await forgetClient(store, subject.network, subject.settings, isDryRun)) };
    case 'network':
      return { ...head, ...(await forgetNetwork(store, subject.network, subject.settings, isDryRun)) };
  }
}
