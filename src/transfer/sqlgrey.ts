/**
 * What sqlgrey (1.8) remembers, as greyctl can say it.
 *
 *   connect     a client that wrote for the first time and is to come back          a waiting entry
 *   from_awl    a sender that came back: passes to every recipient from this client  a count of the client's AWL record
 *   domain_awl  a sender domain of which several senders came back                   likewise
 *
 * A client is written as a whole address, as three octets (its /24), or as four groups of four hexadecimal digits (its /64). An AWL record
 * belongs to an address, so that of a network there is none: those of domain_awl are given as networks.
 */
import { addressText, parseNetwork, type Network } from '../greylist/address.js';
import { isAlive, isClientAlive } from '../greylist/decide.js';
import type { Settings } from '../greylist/settings.js';
import type { StoredClient, StoredEntry } from '../greylist/store.js';
import { foldSender, networkKey } from '../greylist/triplet.js';

/** A row; times are epoch seconds. */
export interface SqlgreyRow {
  readonly table: 'connect' | 'from_awl' | 'domain_awl';
  readonly senderName: string;
  readonly senderDomain: string;
  readonly source: string;
  /** Empty but in connect. */
  readonly recipient: string;
  readonly firstSeen: number;
  readonly lastSeen: number;
}

/** A network from which the senders of a domain came back. */
export interface ProvenNetwork {
  /** In the syntax of the whitelists. */
  readonly pattern: string;
  readonly domains: ReadonlySet<string>;
  /** Epoch seconds. */
  readonly lastSeen: number;
}

export interface SqlgreyCounts {
  waiting: number;
  clients: number;
  /** Rows of from_awl and domain_awl whose client is a network. */
  networkRows: number;
  /** Not remembered any more under the settings: left out. */
  expired: number;
  /** Clients that cannot be read, or that the settings tell apart more finely than sqlgrey did. */
  unusable: number;
}

export interface FromSqlgrey {
  readonly entries: readonly StoredEntry[];
  readonly clients: readonly StoredClient[];
  readonly networks: readonly ProvenNetwork[];
  readonly counts: Readonly<SqlgreyCounts>;
}

const nobody = '-undef-';

function parseSource(source: string): Network | undefined {
  if (/^\d+\.\d+\.\d+$/.test(source)) return parseNetwork(`${source}.0/24`);
  if (/^[\da-f]{4}(?::[\da-f]{4}){3}$/i.test(source)) return parseNetwork(`${source}::/64`);
  return parseNetwork(source);
}

/** True when all addresses of the network have one client key. */
function hasOneKey({ address, prefixLength }: Network, settings: Settings): boolean {
  const { clientKey, ipv4Prefix, ipv6Prefix } = settings;
  const width = address.family === 4 ? 32 : 128;
  const keyLength = address.family === 4 ? ipv4Prefix : ipv6Prefix;
  return prefixLength >= (clientKey === 'host' ? width : keyLength);
}

function senderOf({ senderName, senderDomain }: SqlgreyRow): string {
  if (senderName === nobody) return '';
  return foldSender(senderDomain === nobody ? senderName : `${senderName}@${senderDomain}`);
}

function waitingEntry(row: SqlgreyRow, client: Network, settings: Settings): StoredEntry {
  const { firstSeen, recipient } = row;
  const triplet = {
    client: networkKey(client.address, settings),
    sender: senderOf(row),
    recipient: recipient.toLowerCase(),
  };
  return { triplet, firstSeen, lastSeen: firstSeen, deferrals: 1, passes: 0 };
}

/** The return that a row of an AWL stands for, added to what is known of its client. */
function counted(before: StoredClient | undefined, address: string, lastSeen: number): StoredClient {
  return {
    address,
    count: (before?.count ?? 0) + 1,
    lastCounted: Math.max(before?.lastCounted ?? 0, lastSeen),
  };
}

/** Takes over what is still remembered at `now` under greyctl's settings. */
export function fromSqlgrey(rows: Iterable<SqlgreyRow>, settings: Settings, now: number): FromSqlgrey {
  const entries: StoredEntry[] = [];
  const clients = new Map<string, StoredClient>();
  const networks = new Map<string, { pattern: string; domains: Set<string>; lastSeen: number }>();
  const counts = { waiting: 0, clients: 0, networkRows: 0, expired: 0, unusable: 0 };

  const awl = (row: SqlgreyRow, { address, prefixLength }: Network) => {
    const text = addressText(address);
    if (!isClientAlive({ count: 1, lastCounted: row.lastSeen }, now, settings)) {
      counts.expired += 1;
    } else if (prefixLength === address.bytes.length * 8) {
      clients.set(text, counted(clients.get(text), text, row.lastSeen));
    } else {
      counts.networkRows += 1;
      if (row.table === 'from_awl') return;
      const pattern = `${text}/${prefixLength}`;
      const known = networks.get(pattern) ?? { pattern, domains: new Set<string>(), lastSeen: 0 };
      known.domains.add(row.senderDomain === nobody ? '<>' : row.senderDomain);
      networks.set(pattern, { ...known, lastSeen: Math.max(known.lastSeen, row.lastSeen) });
    }
  };

  for (const row of rows) {
    const client = parseSource(row.source);
    if (!client || (row.table === 'connect' && !hasOneKey(client, settings))) {
      counts.unusable += 1;
    } else if (row.table !== 'connect') {
      awl(row, client);
    } else {
      const entry = waitingEntry(row, client, settings);
      if (isAlive(entry, now, settings)) entries.push(entry);
      else counts.expired += 1;
    }
  }
  counts.waiting = entries.length;
  counts.clients = clients.size;
  return { entries, clients: [...clients.values()], networks: [...networks.values()], counts };
}
