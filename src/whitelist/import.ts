/**
 * Lines of other programs' whitelist files, and of our own export.
 *
 * sqlgrey (clients_ip_whitelist, clients_fqdn_whitelist and their .local): an address; its first one to three octets for a network;
 * `host.example.com` for that name only, `*.example.com` or `.example.com` for all names below it, /regex/.
 * greyctl: `# greyctl whitelist: KIND` begins the entries of that kind, and a comment may end with `[expires TIME]`, RFC 3339.
 *
 * Limits: a domain here stands for itself and all names below it, so what comes from sqlgrey may match more than it did there.
 */
import type { ListKind } from '../greylist/store.js';
import { parseLine, type Pattern, type Unusable } from './syntax.js';

const heading = /^\s*#\s*greyctl whitelist: (client|recipient|sender)\s*$/;
const expiry = /\s*\[expires (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)\]$/;

/** A line that says something; `line` counts from 1. */
export interface ImportLine {
  readonly line: number;
  readonly kind: ListKind;
  readonly parsed: Pattern | Unusable;
  /** Epoch seconds. */
  readonly expiresAt?: number | undefined;
}

function asOurs(kind: ListKind, source: string): string {
  if (kind !== 'client') return source;
  return source
    .replace(/^(\s*)\*?\.(?=[\w-])/, '$1')
    .replace(/^(\s*\d{1,3}(?:\.\d{1,3}){0,2})\.?(?=\s|#|$)/, (prefix: string) => {
      const octets = prefix.trim().replace(/\.$/, '').split('.');
      return octets.length === 1 ? `${octets.join('.')}.0.0.0/8` : octets.join('.');
    });
}

/** All lines that say something. `initial` is the kind before any heading. */
export function importLines(initial: ListKind, text: string): ImportLine[] {
  const found: ImportLine[] = [];
  let kind = initial;
  for (const [index, source] of text.split('\n').entries()) {
    const headed = heading.exec(source)?.[1];
    // The expression lets nothing else through.
    if (headed !== undefined) kind = headed as ListKind;
    const parsed = parseLine(kind, asOurs(kind, source));
    if (!parsed) continue;
    const until = 'comment' in parsed ? expiry.exec(parsed.comment ?? '')?.[1] : undefined;
    if (until === undefined || !('pattern' in parsed)) found.push({ line: index + 1, kind, parsed });
    else {
      const comment = parsed.comment?.replace(expiry, '') ?? '';
      found.push({
        line: index + 1,
        kind,
        parsed: { ...parsed, comment },
        expiresAt: Date.parse(until) / 1000,
      });
    }
  }
  return found;
}

/** One line that `importLines` gives back. `expiresAt` is RFC 3339 in UTC. */
export function exportLine(pattern: string, comment: string, expiresAt: string | undefined): string {
  const notes = [comment, expiresAt === undefined ? '' : `[expires ${expiresAt}]`].filter(
    (note) => note !== '',
  );
  return notes.length === 0 ? pattern : `${pattern} # ${notes.join(' ')}`;
}
