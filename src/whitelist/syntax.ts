/**
 * The syntax of whitelist files and of stored whitelist entries: postgrey 1.37's, one entry a line.
 *
 *   # to the end of the line is a comment (so a regular expression has no #); blanks at both ends do not count
 *
 *   clients      192.0.2.5   192.0.2.0/28   2001:db8::/48   an address or network
 *                192.0.2     192.0                          the /24 or /16 that begins so
 *                example.com                                the verified name and all names below it
 *                /regex/                                    in the verified name; else in the address, as `addressText` writes it
 *   recipients,  user@example.com   user@                   the mailbox, also as user+extension@
 *   senders      example.com                                every mailbox at the domain and at the domains below it
 *                /regex/                                    in the whole address
 *
 * Nothing heeds upper and lower case. Regular expressions are RE2's (no lookaround, no backreferences), unanchored:
 * their time is linear in what they look at. A line that could never match is a problem, not an entry.
 *
 * Limits: a line has at most 4096 characters; an expression compiles to at most 1000 instructions.
 */
import { RE2JS } from 're2js';
import { parseNetwork, type Network } from '../greylist/address.js';
import { reasonOf } from '../greylist/failure.js';
import { excerpt } from '../greylist/printable.js';
import type { ListedEntry, ListKind } from '../greylist/store.js';

/** What an entry looks for; texts are in lower case. */
export type Rule =
  | { readonly type: 'domain'; readonly domain: string }
  | { readonly type: 'network'; readonly network: Network }
  | { readonly type: 'mailbox'; readonly user: string; readonly domain: string }
  | { readonly type: 'user'; readonly user: string }
  | { readonly type: 'regex'; readonly regex: RE2JS };

/** A line that says something. */
export interface Pattern {
  /** As written, without the blanks around it. */
  readonly pattern: string;
  readonly rule: Rule;
  readonly comment?: string | undefined;
}

/** Where an entry comes from. */
export type Origin = { readonly file: string; readonly line: number } | { readonly store: number };

/** One thing that is whitelisted. */
export interface Entry extends Pattern {
  readonly kind: ListKind;
  readonly origin: Origin;
  /** Epoch seconds from which on it does not match any more; undefined: never. */
  readonly expiresAt?: number | undefined;
}

/** Why a text is not an entry: words for the operator, harmless to print. */
export interface Unusable {
  readonly problem: string;
}

/** A line of a file that is not an entry; lines count from 1. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

export interface ParsedList {
  readonly entries: Entry[];
  readonly problems: Problem[];
}

const maxLineLength = 4096;
const maxRegexInstructions = 1000;

function quoted(text: string): string {
  return `'${excerpt(text)}'`;
}

function refusal(source: string, error: unknown): string {
  if (/\(\?<?[=!]/.test(source)) return 'RE2 has no lookahead or lookbehind, which keeps its time linear';
  if (/\\[1-9]|\\k/.test(source)) return 'RE2 has no backreferences, which keeps its time linear';
  return excerpt(
    reasonOf(error)
      .replace(/^error parsing regexp: /, '')
      .replace('`(?i)', '`'),
  );
}

function parseRegex(word: string): Rule | string {
  if (word.length < 2 || !word.endsWith('/')) {
    return `${quoted(word)} begins like a regular expression but does not end with / (no # inside, no flags)`;
  }
  const source = word.slice(1, -1);
  if (source === '') return `the regular expression ${word} is empty and would match everything`;
  try {
    const regex = RE2JS.compile(source, RE2JS.CASE_INSENSITIVE);
    if (regex.programSize() <= maxRegexInstructions) return { type: 'regex', regex };
    return `the regular expression ${quoted(word)} is too large`;
  } catch (error) {
    return `the regular expression ${quoted(word)} cannot be used: ${refusal(source, error)}`;
  }
}

/** Why `domain` cannot be the end of a name or address; undefined when it can. */
function domainProblem(domain: string): string | undefined {
  if (/[<>]/.test(domain)) return 'leave out < and >';
  if (domain.includes('*')) return '* is no wildcard here; a domain alone stands for all names below it';
  if (domain.split('.').includes('')) return 'no dot goes before a domain or after it, nor two in a row';
  return undefined;
}

function neverMatches(word: string, why: string): string {
  return `${quoted(word)} would never match: ${why}`;
}

function parseClient(word: string): Rule | string {
  if (word.startsWith('/')) return parseRegex(word);
  // One to four numbers, or something with two colons, is meant as an address.
  if (/^[\d.]+(?:\/.*)?$/.test(word) || /:.*:/.test(word)) {
    const octets = /^\d+(?:\.\d+){1,2}$/.test(word) ? word.split('.').length : 0;
    const network = parseNetwork(octets === 0 ? word : `${word}${'.0'.repeat(4 - octets)}/${octets * 8}`);
    return network ? { type: 'network', network } : `${quoted(word)} is not an IP address or network`;
  }
  const problem = domainProblem(word);
  if (problem) return neverMatches(word, problem);
  // Postfix's valid_hostname: letters, digits, hyphen, underscore; a name from the DNS is in ASCII (xn--).
  if (!/^[\w.-]+$/.test(word)) return `${quoted(word)} is not a host name, an address or a /regex/`;
  return { type: 'domain', domain: word.toLowerCase() };
}

function parseMailbox(word: string): Rule | string {
  if (word.startsWith('/')) return parseRegex(word);
  if (word === '<>') return neverMatches(word, 'the null sender is /^$/');
  const at = word.indexOf('@');
  const user = word.slice(0, Math.max(at, 0)).toLowerCase();
  const domain = word.slice(at + 1).toLowerCase();
  if (at >= 0 && (user === '' || user === '*')) {
    return neverMatches(word, 'write a domain without @ for everyone at it');
  }
  if (user.startsWith('<')) return neverMatches(word, 'leave out < and >');
  if (domain === '') return { type: 'user', user };
  const problem = domainProblem(domain);
  if (problem) return neverMatches(word, problem);
  return at < 0 ? { type: 'domain', domain } : { type: 'mailbox', user, domain };
}

/** One line: an entry, words about why it is none, or undefined for a line without an entry. */
export function parseLine(kind: ListKind, text: string): Pattern | Unusable | undefined {
  if (text.length > maxLineLength) return { problem: `the line has more than ${maxLineLength} characters` };
  const hash = text.indexOf('#');
  const pattern = (hash < 0 ? text : text.slice(0, hash)).trim();
  if (pattern === '') return undefined;
  if (/\s/.test(pattern)) return { problem: `${quoted(pattern)} has a blank inside: one entry a line` };
  const rule = kind === 'client' ? parseClient(pattern) : parseMailbox(pattern);
  if (typeof rule === 'string') return { problem: rule };
  const comment = hash < 0 ? '' : text.slice(hash + 1).trim();
  return { pattern, rule, ...(comment !== '' && { comment }) };
}

/**
 * All lines of a file, or of a part of it that begins at line `firstLine`; `file` is only for origins and problems.
 * Never throws for what the text holds.
 */
export function parseList(kind: ListKind, text: string, file: string, firstLine = 1): ParsedList {
  const entries: Entry[] = [];
  const problems: Problem[] = [];
  let line = firstLine - 1;
  for (const source of text.split('\n')) {
    line += 1;
    const parsed = parseLine(kind, source);
    if (!parsed) continue;
    if ('problem' in parsed) problems.push({ file, line, message: parsed.problem });
    else entries.push({ kind, ...parsed, origin: { file, line } });
  }
  return { entries, problems };
}

/** The entry kept in the store as `listed`; a problem when its pattern is not one that `parseLine` takes. */
export function parseListed(listed: ListedEntry): Entry | Unusable {
  const parsed = parseLine(listed.kind, listed.pattern) ?? { problem: 'the pattern is empty' };
  if ('problem' in parsed) return parsed;
  return {
    kind: listed.kind,
    pattern: parsed.pattern,
    rule: parsed.rule,
    ...(listed.comment !== '' && { comment: listed.comment }),
    origin: { store: listed.id },
    ...(listed.expiresAt !== undefined && { expiresAt: listed.expiresAt }),
  };
}

/** The entries kept in the store; one whose pattern `parseLine` does not take is left out with a warning. */
export function parseStored(listed: readonly ListedEntry[]): { entries: Entry[]; warnings: string[] } {
  const entries: Entry[] = [];
  const warnings: string[] = [];
  for (const one of listed) {
    const entry = parseListed(one);
    if ('problem' in entry) warnings.push(`whitelist entry ${one.id} of the database: ${entry.problem}`);
    else entries.push(entry);
  }
  return { entries, warnings };
}
