import type { Argv } from 'yargs';
import { Failure } from '../../greylist/failure.js';
import { excerpt } from '../../greylist/printable.js';
import type { EntryOrder, SortField } from '../../greylist/store.js';
import { textOf } from '../arguments.js';
import { settingsFor, terminalFor, withExistingStore, type Arguments, type Process } from '../context.js';
import { entryColumns, entryDocument, entryRow } from './entry.js';
import { choiceOf, chosenEntries, declareFilter } from './filter.js';

/** Rows that are laid out as one table; a longer list is several tables under one another. */
const tableRows = 1000;

const sortFields: Readonly<Record<string, SortField | undefined>> = {
  key: undefined,
  first_seen: 'firstSeen',
  last_seen: 'lastSeen',
  deferrals: 'deferrals',
  passes: 'passes',
};

/** The options of `db list`. */
export function declareList(yargs: Argv): Argv {
  return declareFilter(yargs)
    .option('sort', {
      choices: Object.keys(sortFields),
      requiresArg: true,
      describe: 'what the order goes by; without it, as the database has them',
    })
    .option('reverse', { type: 'boolean', describe: 'the other way round' })
    .option('limit', { type: 'string', requiresArg: true, describe: 'at most so many [N]' });
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return Infinity;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new Failure(`--limit: "${excerpt(text)}" is not a number`, { kind: 'usage' });
}

/** Undefined for the store's own order, which needs no sorting. */
function orderOf(argv: Arguments): EntryOrder | undefined {
  const isReversed = argv['reverse'] === true;
  // yargs has checked the choices.
  const field = textOf(argv, 'sort');
  return field === undefined && !isReversed ? undefined : { by: sortFields[field ?? 'key'], isReversed };
}

/** `greyctl db list`: entries, in constant memory. */
export async function list(argv: Arguments, outside: Process): Promise<undefined> {
  const { values } = settingsFor(argv, outside);
  const limit = limitOf(textOf(argv, 'limit'));
  const choice = choiceOf(argv, values, outside.now());
  const order = orderOf(argv);
  const terminal = terminalFor(values, outside);
  if (values.privacy) {
    outside.stderr.write(
      'greyctl: clients, senders and recipients are keyed hashes (--privacy); db show finds an exact triplet\n',
    );
  }
  await withExistingStore(values, outside, async (store) => {
    let shown = 0;
    let rows: string[][] = [];
    const print = async () => {
      // On a terminal every table is fitted for itself; in a pipe all are one.
      const hasHead = terminal.isTerminal || shown <= tableRows;
      await terminal.table(hasHead ? entryColumns : [], rows);
      rows = [];
    };
    for await (const { entry, state } of chosenEntries(store, choice, order)) {
      if (shown >= limit) break;
      shown += 1;
      if (values.json) {
        await terminal.json(entryDocument(entry, state));
        continue;
      }
      rows.push(entryRow(entry, state));
      if (rows.length === tableRows) await print();
    }
    if (!values.json && (rows.length > 0 || shown === 0)) await print();
  });
  return undefined;
}
