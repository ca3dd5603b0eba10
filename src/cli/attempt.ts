import type { Argv } from 'yargs';
import type { Values } from '../config/options.js';
import { parseAddress } from '../greylist/address.js';
import type { Attempt } from '../greylist/attempt.js';
import { Failure } from '../greylist/failure.js';
import { excerpt } from '../greylist/printable.js';
import { declareSettings, textOf, tolerateServerSettings } from './arguments.js';
import type { Arguments } from './context.js';

/** The options that make up one attempt, and the settings that decide it; `mustBeGiven` unless it can come from elsewhere. */
export function declareAttempt(yargs: Argv, mustBeGiven = true): Argv {
  return declareSettings(tolerateServerSettings(yargs), ['decision'])
    .option('client', {
      type: 'string',
      requiresArg: true,
      demandOption: mustBeGiven,
      describe: 'IP address of the client',
    })
    .option('client-name', {
      type: 'string',
      requiresArg: true,
      describe: 'its verified name; without it, unknown',
    })
    .option('sender', { type: 'string', describe: 'envelope sender; without it, the null sender' })
    .option('recipient', {
      type: 'string',
      requiresArg: true,
      demandOption: mustBeGiven,
      describe: 'envelope recipient',
    });
}

/** An attempt in words, as the operator or a log has them. */
export interface AttemptTexts {
  readonly client: string;
  readonly clientName: string;
  /** Empty for the null sender. */
  readonly sender: string;
  readonly recipient: string;
}

/** The list of public suffixes is large: only who needs it loads it. */
async function domainOf(name: string): Promise<string | undefined> {
  const { registrableDomain } = await import('../names/domain.js');
  return registrableDomain(name);
}

/** An attempt out of the options of the command line; what they do not say is taken from `known`. */
export async function attemptOf(
  argv: Arguments,
  values: Values,
  now: number,
  known: Partial<AttemptTexts> = {},
): Promise<Attempt> {
  const text = textOf(argv, 'client') ?? known.client ?? '';
  const client = parseAddress(text);
  if (!client) throw new Failure(`--client: "${excerpt(text)}" is not an IP address`, { kind: 'usage' });
  const recipient = textOf(argv, 'recipient') ?? known.recipient ?? '';
  if (recipient === '') throw new Failure('--recipient is empty', { kind: 'usage' });
  const clientName = textOf(argv, 'client-name') ?? known.clientName ?? 'unknown';
  return {
    time: now,
    client,
    clientName,
    clientDomain: values['client-key'] === 'domain' ? await domainOf(clientName) : undefined,
    sender: textOf(argv, 'sender') ?? known.sender ?? '',
    recipient,
  };
}
