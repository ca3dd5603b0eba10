/**
 * greyctl's decision twice over: as it is, and with postgrey's ways put back where greyctl decided otherwise. The second must
 * answer as postgrey does, always; the first may differ only where the two memories were parted by a cause with a name.
 */
import { isDeepStrictEqual } from 'node:util';
import { parseAddress, type Address } from '#src/greylist/address.js';
import { decide, keyed, type AwlRecord, type Decision, type Entry } from '#src/greylist/decide.js';
import type { Settings } from '#src/greylist/settings.js';
import { compile } from '#src/whitelist/matcher.js';
import { parseList } from '#src/whitelist/syntax.js';
import {
  differingClients,
  isClientListed,
  isInTwoOctets,
  isMatchedByAddress,
  isRecipientListed,
  lists,
} from './hand-lists.js';
import type { Step } from './traffic.js';

/** Where greyctl differs from postgrey on purpose. */
export type Difference =
  | 'max age at look-up'
  | 'raised delay leaves passed entries passed'
  | 'IPv4-mapped client is IPv4'
  | 'two octets are a /16'
  | 'expression tried on the address';

/** What the two greyctls do with one attempt. */
export interface Comparison {
  /** The action as it is. */
  readonly greyctl: string;
  /** The action with postgrey's ways. */
  readonly asPostgrey: string;
  /** Why the two may differ: a cause of this attempt, or what parted the memory of its triplet or client before. */
  readonly cause: Difference | undefined;
}

/** Says whether an attempt passes by a list. */
type Listed = (step: Step, reading: 'greyctl' | 'postgrey') => boolean;

/** greyctl's reading is the project's own; postgrey's is worked out by hand, and shares nothing with it. */
function readings(): Listed {
  const clients = parseList('client', [...lists.clients, ...differingClients].join('\n'), 'clients');
  const recipients = parseList('recipient', lists.recipients.join('\n'), 'recipients');
  const whitelist = compile([...clients.entries, ...recipients.entries]);
  return (step, reading) => {
    if (reading === 'greyctl')
      return whitelist.match({ ...step, client: addressOf(step) }, step.time) !== undefined;
    const byClient =
      isClientListed(step) || isInTwoOctets(step, reading) || isMatchedByAddress(step, reading);
    return byClient || isRecipientListed(step);
  };
}

/** postgrey never forgets at look-up, and its nightly purge does not run while time is only told by requests. */
const never = Number.MAX_SAFE_INTEGER;

// postgrey gives one header to a message: it keeps the last ten.
const rememberedInstances = 10;

/** One greylister: what it remembers, and how it answers. */
function greylister() {
  const entries = new Map<string, Entry>();
  const clients = new Map<string, AwlRecord>();
  let instances: string[] = [];

  const isNew = (instance: string) => {
    if (instances.includes(instance)) return false;
    instances = [instance, ...instances].slice(0, rememberedInstances);
    return true;
  };
  const action = (step: Step, { verdict, waitSeconds, delaySeconds }: Decision) => {
    if (verdict === 'greylist') {
      return `DEFER_IF_PERMIT 4.2.0 wait ${waitSeconds} for ${step.recipient.replace(/.*@/, '')}`;
    }
    const first = delaySeconds !== undefined && isNew(step.instance);
    return first ? `PREPEND X-Greylist: delayed ${delaySeconds} seconds` : 'DUNNO';
  };
  return {
    entries,
    clients,
    restart: () => {
      instances = [];
    },
    answer(step: Step, client: Address, settings: Settings) {
      const { time, clientName, sender, recipient } = step;
      const attempt = keyed({ time, client, clientName, sender, recipient }, settings);
      const key = Object.values(attempt.triplet).join('/');
      const known = { entry: entries.get(key), client: clients.get(attempt.address) };
      const { decision, memory } = decide(attempt, known);
      if (memory.entry) entries.set(key, memory.entry);
      if (memory.client) clients.set(attempt.address, memory.client);
      return { key, address: attempt.address, known, memory, decision, action: action(step, decision) };
    },
  };
}

/** An IPv4-mapped address as postgrey sees it. */
function asIPv6({ family, bytes }: Address, text: string): Address {
  if (family === 6 || !text.includes(':')) return { family, bytes };
  return { family: 6, bytes: [...new Array<number>(10).fill(0), 255, 255, ...bytes] };
}

/** What of an entry can make a difference to a later answer. */
function essence(entry: Entry | undefined) {
  return entry && [entry.firstSeen, entry.lastSeen, entry.passedAt !== undefined];
}

function addressOf(step: Step): Address {
  const address = parseAddress(step.clientAddress);
  if (!address) throw new Error(`not an address: ${step.clientAddress}`);
  return address;
}

/** The two greyctls. */
export function twoMemories() {
  const listed = readings();
  const plain = greylister();
  const quirky = greylister();
  /** Triplets and clients of which the two remember different things, and what parted them. */
  const parted = new Map<string, Difference>();

  /** postgrey calls an entry passed when it was used over a span of the delay in force now. */
  const unpass = (key: string, delaySeconds: number) => {
    const entry = quirky.entries.get(key);
    if (entry?.passedAt === undefined || entry.lastSeen - entry.firstSeen >= delaySeconds) return false;
    quirky.entries.set(key, { ...entry, passedAt: undefined });
    return true;
  };

  const forgets = (
    { time }: Step,
    { maxAgeSeconds }: Settings,
    known: ReturnType<typeof plain.answer>['known'],
  ) =>
    (known.entry?.passedAt !== undefined && time - known.entry.lastSeen > maxAgeSeconds) ||
    (known.client !== undefined && time - known.client.lastCounted > maxAgeSeconds);

  /** What a difference is for: what is too old has to be forgotten, what has passed has to stay passed. */
  const checkPurpose = (
    step: Step,
    settings: Settings,
    unpassed: boolean,
    one: ReturnType<typeof plain.answer>,
  ) => {
    const { known, memory, decision } = one;
    const oldEntry = known.entry !== undefined && step.time - known.entry.lastSeen > settings.maxAgeSeconds;
    const oldClient =
      known.client !== undefined && step.time - known.client.lastCounted > settings.maxAgeSeconds;
    if (oldEntry && memory.entry !== known.entry && memory.entry?.firstSeen !== step.time) {
      throw new Error('an entry older than max age was believed');
    }
    const counted = memory.client !== known.client && memory.client?.count !== 1;
    if (oldClient && (decision.reason === 'client AWL' || counted)) {
      throw new Error('a client older than max age was believed');
    }
    if (unpassed && !oldEntry && known.entry?.passedAt !== undefined && decision.verdict !== 'pass') {
      throw new Error('a passed entry was greylisted');
    }
  };

  const isTogether = (name: string) =>
    isDeepStrictEqual(essence(plain.entries.get(name)), essence(quirky.entries.get(name))) &&
    isDeepStrictEqual(plain.clients.get(name), quirky.clients.get(name));

  const listedDifferently = (step: Step): Difference | undefined => {
    if (isInTwoOctets(step, 'greyctl')) return 'two octets are a /16';
    return isMatchedByAddress(step, 'greyctl') ? 'expression tried on the address' : undefined;
  };

  return {
    restart() {
      plain.restart();
      quirky.restart();
    },
    compare(step: Step, settings: Settings): Comparison {
      const byGreyctl = listed(step, 'greyctl');
      const byPostgrey = listed(step, 'postgrey');
      if (byGreyctl && byPostgrey) return { greyctl: 'DUNNO', asPostgrey: 'DUNNO', cause: undefined };

      const address = addressOf(step);
      const seen = asIPv6(address, step.clientAddress);
      const quirks = { ...settings, maxAgeSeconds: never };
      const { triplet } = keyed({ ...step, client: seen }, quirks);
      const unpassed = !byPostgrey && unpass(Object.values(triplet).join('/'), settings.delaySeconds);
      const one = byGreyctl ? undefined : plain.answer(step, address, settings);
      const other = byPostgrey ? undefined : quirky.answer(step, seen, quirks);

      if (one) checkPurpose(step, settings, unpassed, one);
      const touched = [one, other].flatMap((side) => (side ? [side.key, side.address] : []));
      const cause =
        (byGreyctl !== byPostgrey ? listedDifferently(step) : undefined) ??
        (seen.family !== address.family ? 'IPv4-mapped client is IPv4' : undefined) ??
        (one && forgets(step, settings, one.known) ? 'max age at look-up' : undefined) ??
        (unpassed ? 'raised delay leaves passed entries passed' : undefined) ??
        touched.map((name) => parted.get(name)).find((name) => name !== undefined);
      for (const name of touched) {
        if (isTogether(name)) parted.delete(name);
        else if (!parted.has(name)) {
          if (!cause) throw new Error(`the memories of ${name} parted without a cause`);
          parted.set(name, cause);
        }
      }
      return { greyctl: one?.action ?? 'DUNNO', asPostgrey: other?.action ?? 'DUNNO', cause };
    },
  };
}
