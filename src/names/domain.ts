import { getDomain, parse } from 'tldts';

/**
 * The registrable domain of a host name by the Public Suffix List (`mail-wr1-f52.google.com` → `google.com`), or undefined for a name
 * that has none. Suffixes that companies registered for their customers (amazonaws.com, …) count, so that
 * strangers who share a cloud are not taken for one sender.
 */
export function registrableDomain(name: string): string | undefined {
  return getDomain(name, { allowPrivateDomains: true, detectIp: false }) ?? undefined;
}

/** True for a name below which strangers register theirs: `com`, `co.uk`. */
export function isPublicSuffix(name: string): boolean {
  const { publicSuffix, isIcann } = parse(name, { detectIp: false });
  return isIcann === true && publicSuffix === name.toLowerCase();
}
