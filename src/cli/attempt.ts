import type { Argv } from 'yargs';
import type { Values } from '../config/options.js';
import { parseAddress } from '../greylist/address.js';
import type { Attempt } from '../greylist/attempt.js';
import { Failure } from '../greylist/failure.js';
import { excerpt } from '../greylist/printable.js';
import { registrableDomain } from '../names/domain.js';
import { declareSettings, textOf } from './arguments.js';
import type { Arguments } from './context.js';

/** The options that make up one attempt, and the settings that decide it. */
export function declareAttempt(yargs: Argv): Argv {
  return declareSettings(yargs, ['decision'])
    .option('client', {
      type: 'string',
      requiresArg: true,
      demandOption: true,
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
      demandOption: true,
      describe: 'envelope recipient',
    });
}

/** An attempt out of the options of the command line. */
export function attemptOf(argv: Arguments, values: Values, now: number): Attempt {
  const text = textOf(argv, 'client') ?? '';
  const client = parseAddress(text);
  if (!client) throw new Failure(`--client: "${excerpt(text)}" is not an IP address`, { kind: 'usage' });
  const recipient = textOf(argv, 'recipient') ?? '';
  if (recipient === '') throw new Failure('--recipient is empty', { kind: 'usage' });
  const clientName = textOf(argv, 'client-name') ?? 'unknown';
  return {
    time: now,
    client,
    clientName,
    clientDomain: values['client-key'] === 'domain' ? registrableDomain(clientName) : undefined,
    sender: textOf(argv, 'sender') ?? '',
    recipient,
  };
}
