import { createRequire } from 'node:module';
import type * as Tldts from 'tldts';

// The Public Suffix List is large, and few commands ask for a domain: it is loaded for the first name. Node looks through all of a
// CommonJS file for names before it imports it, which takes longer than to run it; with `require` it does not.
const require = createRequire(import.meta.url);
let loaded: typeof Tldts | undefined;

function tldts(): typeof Tldts {
  loaded ??= require('tldts') as typeof Tldts;
  return loaded;
}

/**
 * The registrable domain of a host name by the Public Suffix List (`mail-wr1-f52.google.com` → `google.com`), or undefined for a name
 * that has none. Suffixes that companies registered for their customers (amazonaws.com, …) count, so that
 * strangers who share a cloud are not taken for one sender.
 */
export function registrableDomain(name: string): string | undefined {
  return tldts().getDomain(name, { allowPrivateDomains: true, detectIp: false }) ?? undefined;
}

/** True for a name below which strangers register theirs: `com`, `co.uk`. */
export function isPublicSuffix(name: string): boolean {
  const { publicSuffix, isIcann } = tldts().parse(name, { detectIp: false });
  return isIcann === true && publicSuffix === name.toLowerCase();
}
