/**
 * Restriction lists, in the order in which smtpd goes through them when a recipient is named.
 *
 *     LIST = RESTRICTION [,] RESTRICTION …      a RESTRICTION may have an argument, and `{ a, b = c }` is one word
 *
 * A permit ends its own list only, a refusal ends all. Names of restriction classes are replaced by what they stand for;
 * classes that only an access table names are not seen in the lists.
 */
import type { View } from './configuration.js';

export interface Restriction {
  /** The list it stands in: `smtpd_recipient_restrictions`. */
  readonly list: string;
  readonly name: string;
  /** What follows it, such as a table or a policy service; empty for none. */
  readonly argument: string;
  /** Behind `warn_if_reject`: says what it would have done, and does nothing. */
  readonly isWarning: boolean;
}

/** The words of a list; what stands in braces is one. */
export function wordsOf(list: string): string[] {
  const words: string[] = [];
  let word = '';
  let depth = 0;
  for (const character of `${list} `) {
    if (character === '{') depth += 1;
    if (character === '}') depth -= 1;
    if (depth <= 0 && /[\s,]/.test(character)) {
      if (word !== '') words.push(word);
      word = '';
    } else word += character;
  }
  return word.trim() === '' ? words : [...words, word.trim()];
}

/** Restrictions of access(5) and postconf(5) that are followed by a word. */
const takesArgument =
  /^(check_\w+_access|check_policy_service|reject_(rbl|rhsbl)_\w+|permit_(dnswl|rhswl)_\w+|sleep|reject_rhsbl|reject_maps_rbl_domain)$/;

const mostNesting = 10;

function restrictionsOf(view: View, list: string, text: string, depth = 0): Restriction[] {
  const classes = new Set(wordsOf(view.value('smtpd_restriction_classes')));
  const found: Restriction[] = [];
  const words = wordsOf(text);
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    const isWarning = words[index - 1] === 'warn_if_reject';
    if (word === 'warn_if_reject') continue;
    if (classes.has(word) && depth < mostNesting) {
      found.push(...restrictionsOf(view, list, view.value(word), depth + 1));
      continue;
    }
    // `hash:/etc/postfix/access` without a name before it is an access check, too.
    const isTable = /^[a-z]+:/.test(word);
    const hasArgument = takesArgument.test(word) && words[index + 1] !== undefined;
    if (hasArgument) index += 1;
    found.push({
      list,
      name: isTable ? 'check_access' : word,
      argument: isTable ? word : hasArgument ? (words[index] ?? '') : '',
      isWarning,
    });
  }
  return found;
}

/** The lists that are gone through for a recipient, in their order. */
function recipientLists(view: View): string[] {
  const pair = ['smtpd_relay_restrictions', 'smtpd_recipient_restrictions'];
  return [
    'smtpd_client_restrictions',
    'smtpd_helo_restrictions',
    'smtpd_sender_restrictions',
    ...(relayComesFirst(view) ? pair : pair.toReversed()),
  ];
}

/** postconf(5), smtpd_relay_before_recipient_restrictions: since 3.6, unless the compatibility level is lower. */
export function relayComesFirst(view: View): boolean {
  const stated = view.value('smtpd_relay_before_recipient_restrictions');
  if (stated !== '') return stated === 'yes';
  const [major = 0, minor = 0] = (view.value('compatibility_level') || '0').split('.').map(Number);
  return major > 3 || (major === 3 && minor >= 6);
}

/** Everything that is asked before the recipient is accepted, in order. */
export function beforeAcceptance(view: View): Restriction[] {
  return recipientLists(view).flatMap((list) => restrictionsOf(view, list, view.value(list)));
}

/** What is asked when the message itself comes, and of restriction classes that tables may name. */
export function elsewhere(view: View): Restriction[] {
  const lists = ['smtpd_data_restrictions', 'smtpd_end_of_data_restrictions', 'smtpd_etrn_restrictions'];
  return [...lists, ...wordsOf(view.value('smtpd_restriction_classes'))].flatMap((list) =>
    restrictionsOf(view, list, view.value(list)),
  );
}

/** How main.cf names a policy service: its endpoint, and what it sets for this service alone. */
export interface PolicyService {
  /** `inet:HOST:PORT`, `unix:PATH`. */
  readonly endpoint: string;
  readonly attributes: ReadonlyMap<string, string>;
}

/** Reads the argument of check_policy_service: `inet:…`, or `{ inet:…, timeout=10s, default_action=DUNNO }`. */
export function policyService(argument: string): PolicyService {
  const inside = /^\{(.*)\}$/s.exec(argument)?.[1];
  if (inside === undefined) return { endpoint: argument, attributes: new Map() };
  const attributes = new Map<string, string>();
  const [endpoint = '', ...parts] = splitOutside(inside);
  for (const part of parts) {
    const [, name = '', value = ''] =
      /^([\w]+)\s*=\s*(.*)$/s.exec(part.replace(/^\{(.*)\}$/s, '$1').trim()) ?? [];
    if (name !== '') attributes.set(name, value.trim());
  }
  return { endpoint, attributes };
}

/** The parts between commas or blanks; `{ name = a b }` and `name = value` stay whole. */
function splitOutside(text: string): string[] {
  return wordsOf(text.replace(/\s*=\s*/g, '='));
}
