/** What stands for the client in a triplet. */
export type ClientKey = 'subnet' | 'host' | 'domain';

/** The numbers `decide` works with. */
export interface Rules {
  /** A retry passes when this many seconds have gone by since the first attempt. 0: everything passes, and is learned. */
  readonly delaySeconds: number;
  /** A triplet whose first retry takes longer than this starts anew. */
  readonly retryWindowSeconds: number;
  /** A passed triplet, or an auto-whitelisted client, unused for longer than this is forgotten. */
  readonly maxAgeSeconds: number;
  /** So many different triplets that came back put a client on the auto-whitelist; 0 switches it off. */
  readonly awlClients: number;
  /** While so many triplets wait a new one passes: what cannot be remembered must not be kept waiting. */
  readonly maxWaiting: number;
  /** While so many triplets of one client key wait a new one of it is deferred and not remembered. */
  readonly maxWaitingPerClient: number;
}

/** How triplets are made. */
export interface KeySettings {
  readonly clientKey: ClientKey;
  /** Bits of an IPv4 client's network, 1–32. */
  readonly ipv4Prefix: number;
  /** Bits of an IPv6 client's network, 1–128. */
  readonly ipv6Prefix: number;
}

export type Settings = Rules & KeySettings;

const minute = 60;
const day = 86_400;

/** postgrey 1.37's defaults, each with its reason. */
export const defaultSettings: Settings = {
  // Longer than most spam engines keep a connection list, shorter than the first retry of common servers
  // (Postfix's own minimal_backoff_time is 300 s).
  delaySeconds: 5 * minute,
  // Two days: a weekend's outage at the sending side does not start the wait anew.
  retryWindowSeconds: 2 * day,
  // Five weeks: a monthly newsletter or bill is remembered from one issue to the next.
  maxAgeSeconds: 35 * day,
  awlClients: 5,
  // About 300 MB on disk and 40 in memory.
  maxWaiting: 2_000_000,
  // More new correspondents than a large provider's network has with one site in two days.
  maxWaitingPerClient: 20_000,
  clientKey: 'subnet',
  // Sender pools usually live in one /24; one IPv6 site has at least a /64 (RFC 6177).
  ipv4Prefix: 24,
  ipv6Prefix: 64,
};

/** The AWL counts a client at most once in this many seconds (postgrey's rule: a burst proves nothing). */
export const awlCountIntervalSeconds = 3600;

/** What makes these settings unusable together, in words for the operator; empty when nothing does. */
export function contradictions(settings: Settings): string[] {
  const problems: string[] = [];
  if (settings.delaySeconds >= settings.retryWindowSeconds) {
    problems.push(
      `delay (${settings.delaySeconds} s) is not shorter than retry-window (${settings.retryWindowSeconds} s): no retry could ever pass`,
    );
  }
  return problems;
}
