/** The options that choose entries, the same for every command that works on several. */
import type { Argv } from 'yargs';
import type { Values } from '../../config/options.js';
import { settingsOf } from '../../config/resolve.js';
import { readDuration } from '../../config/value.js';
import { parseAddress } from '../../greylist/address.js';
import { Failure } from '../../greylist/failure.js';
import type { Settings } from '../../greylist/settings.js';
import {
  allEntries,
  allSorted,
  type EntryFilter,
  type EntryOrder,
  type Store,
  type StoredEntry,
} from '../../greylist/store.js';
import { foldSender, networkKey } from '../../greylist/triplet.js';
import { declareSettings, readOption, textOf } from '../arguments.js';
import type { Arguments } from '../context.js';
import { shownStates, stateOf, type ShownState } from './entry.js';

/** Which entries were asked for. */
export interface Choice {
  readonly filter: EntryFilter;
  /** What the store cannot tell: it does not know the rules. */
  readonly state: string | undefined;
  readonly settings: Settings;
  readonly now: number;
}

/** An entry with what people call its state. */
export interface ChosenEntry {
  readonly entry: StoredEntry;
  readonly state: ShownState;
}

/** The parts of a triplet as options. */
export function declareParts(yargs: Argv): Argv {
  return declareSettings(yargs, ['decision'])
    .option('client', {
      type: 'string',
      requiresArg: true,
      describe: 'only this client: an address, or the client key as it is stored',
    })
    .option('sender', { type: 'string', describe: 'only this sender' })
    .option('recipient', { type: 'string', requiresArg: true, describe: 'only this recipient' });
}

/** All options that choose entries. */
export function declareFilter(yargs: Argv): Argv {
  return declareParts(yargs)
    .option('domain', {
      type: 'string',
      requiresArg: true,
      describe: 'only with a sender or recipient at this domain or below it',
    })
    .option('state', { choices: shownStates, describe: 'only these' })
    .option('older', {
      type: 'string',
      requiresArg: true,
      describe: 'only last seen longer ago, such as 30d [TIME]',
    })
    .option('newer', {
      type: 'string',
      requiresArg: true,
      describe: 'only last seen since so long ago [TIME]',
    });
}

const filterNames = ['client', 'sender', 'recipient', 'domain', 'state', 'older', 'newer'] as const;

/** True when any option narrows what is meant. */
export function isNarrowed(argv: Arguments): boolean {
  return filterNames.some((name) => argv[name] !== undefined);
}

/** Refuses what cannot be asked of hashes. */
export function refuseWithPrivacy(values: Values, what: string): void {
  if (!values.privacy) return;
  throw new Failure(`${what} cannot be looked for with --privacy: the database holds keyed hashes`, {
    kind: 'usage',
    hint: 'name exact addresses',
  });
}

/** A mail domain as it stands in addresses. */
export function domainText(text: string): string {
  return text.toLowerCase().replace(/^@/, '').replace(/\.$/, '');
}

/** The entries that the options choose; addresses as they are given become what is stored of them. */
export function choiceOf(argv: Arguments, values: Values, now: number): Choice {
  const settings = settingsOf(values);
  const given = textOf(argv, 'client');
  const client = parseAddress(given ?? '');
  const sender = textOf(argv, 'sender');
  const state = textOf(argv, 'state');
  const domain = textOf(argv, 'domain');
  const days = (text: string) => now - readDuration(text, 'd');
  if (domain !== undefined) refuseWithPrivacy(values, 'a domain');
  const filter: EntryFilter = {
    client: client ? networkKey(client, settings) : given?.toLowerCase(),
    sender: sender === undefined ? undefined : foldSender(sender === '<>' ? '' : sender),
    recipient: textOf(argv, 'recipient')?.toLowerCase(),
    domain: domain === undefined ? undefined : domainText(domain),
    lastSeenBefore: readOption(argv, 'older', days),
    lastSeenFrom: readOption(argv, 'newer', days),
    ...(state === 'passed' && { state: 'passed' }),
    ...((state === 'waiting' || state === 'released') && { state: 'waiting' }),
  };
  return { filter, state, settings, now };
}

/** Every chosen entry, in constant memory. */
export async function* chosenEntries(
  store: Store,
  { filter, state: wanted, settings, now }: Choice,
  order?: EntryOrder,
): AsyncGenerator<ChosenEntry> {
  for await (const entry of order ? allSorted(store, filter, order) : allEntries(store, filter)) {
    const state = stateOf(entry, now, settings);
    if (wanted === undefined || state === wanted) yield { entry, state };
  }
}
