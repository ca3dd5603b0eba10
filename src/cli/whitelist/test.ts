import { parseAddress } from '../../greylist/address.js';
import { Failure } from '../../greylist/failure.js';
import { excerpt, printable } from '../../greylist/printable.js';
import { compile, inOrder, type Match, type Subject } from '../../whitelist/matcher.js';
import { nearest, type Near, type NearSubject } from '../../whitelist/nearest.js';
import { parseStored } from '../../whitelist/syntax.js';
import { declareSettings, textOf } from '../arguments.js';
import { answerIsNo, type Subcommand } from '../command.js';
import { settingsFor, terminalFor, withExistingStore, type Arguments, type Process } from '../context.js';
import { entryPlace, fileEntries } from '../lists.js';

const mostNear = 5;

/** What a word can be: a client's address, a mail address (as sender and as recipient; empty: the null sender), or a verified name. */
function subjectOfWord(word: string): Subject {
  const client = parseAddress(word);
  if (client) return { client };
  if (word === '') return { sender: '' };
  return word.includes('@') ? { sender: word, recipient: word } : { clientName: word };
}

function subjectOfOptions(argv: Arguments): NearSubject {
  const [client, clientName] = [textOf(argv, 'client'), textOf(argv, 'client-name')];
  const [sender, recipient] = [textOf(argv, 'sender'), textOf(argv, 'recipient')];
  const address = client === undefined ? undefined : parseAddress(client);
  if (client !== undefined && !address)
    throw new Failure(`--client: "${excerpt(client)}" is not an IP address`, { kind: 'usage' });
  const isUnverified = address !== undefined && (clientName ?? 'unknown') === 'unknown';
  return {
    ...(address && { client: address, clientName: clientName ?? 'unknown' }),
    ...(clientName !== undefined && { clientName }),
    ...(sender !== undefined && { sender }),
    ...(recipient !== undefined && { recipient }),
    // People who whitelist a client by name mostly write the domain that they see in its senders.
    ...(isUnverified && sender?.includes('@') && { claimedName: sender.slice(sender.lastIndexOf('@') + 1) }),
  };
}

function subjectOf(argv: Arguments): NearSubject {
  const word = textOf(argv, 'what');
  const subject = subjectOfOptions(argv);
  const isAttempt = Object.keys(subject).length > 0;
  if ((word === undefined) !== isAttempt) {
    throw new Failure(
      'whitelist test: say either WHAT, or an attempt with --client, --client-name, --sender and --recipient',
      {
        kind: 'usage',
      },
    );
  }
  return word === undefined ? subject : subjectOfWord(word);
}

async function look(
  argv: Arguments,
  outside: Process,
  subject: NearSubject,
): Promise<{ matches: Match[]; near: Near[] }> {
  const { values } = settingsFor(argv, outside);
  const stored = parseStored(await withExistingStore(values, outside, (store) => store.listed()));
  for (const warning of stored.warnings) outside.stderr.write(`greyctl: ${warning}\n`);
  const inFiles = await fileEntries(values, outside.stderr);
  const now = outside.now();
  const matches = inOrder(compile(inFiles), compile(stored.entries)).all(subject, now);
  return {
    matches,
    near: matches.length > 0 ? [] : nearest([...inFiles, ...stored.entries], subject, now, mostNear),
  };
}

async function test(argv: Arguments, outside: Process): Promise<number> {
  const { values } = settingsFor(argv, outside);
  const { matches, near } = await look(argv, outside, subjectOf(argv));
  const terminal = terminalFor(values, outside);
  if (values.json) {
    const named = ({ entry }: Pick<Match, 'entry'>) => ({
      kind: entry.kind,
      pattern: entry.pattern,
      source: entryPlace(entry),
    });
    await terminal.json({
      matches: matches.map((match, index) => ({ ...named(match), shadowed: index > 0 })),
      nearest: near.map((one) => ({ ...named(one), obstacle: one.obstacle, why: one.why })),
    });
    return matches.length > 0 ? 0 : answerIsNo;
  }
  const shown = ({ entry }: Pick<Match, 'entry'>) =>
    `${entry.kind} ${printable(entry.pattern)} (${entryPlace(entry)})`;
  for (const [index, match] of matches.entries())
    await terminal.line(index === 0 ? shown(match) : `${shown(match)}: shadowed, the first one counts`);
  if (matches.length === 0)
    await terminal.line(`no entry matches ${printable(textOf(argv, 'what') ?? 'this attempt')}`);
  for (const one of near) await terminal.line(`near: ${shown(one)}: ${printable(one.why)}`);
  return matches.length > 0 ? 0 : answerIsNo;
}

/** Says which entries match, and what came nearest where none does. */
export const testCommand: Subcommand = {
  command: 'test [what]',
  describe: 'which entries match a client address, a name, a mail address or a whole attempt',
  declare: (yargs) =>
    declareSettings(yargs, ['decision'])
      .positional('what', { type: 'string', describe: 'an address, a verified name or a mail address' })
      .option('client', { type: 'string', requiresArg: true, describe: 'IP address of the client' })
      .option('client-name', {
        type: 'string',
        requiresArg: true,
        describe: 'its verified name; without it, unknown',
      })
      .option('sender', { type: 'string', describe: 'envelope sender' })
      .option('recipient', { type: 'string', requiresArg: true, describe: 'envelope recipient' }),
  run: test,
};
