import type { Argv } from 'yargs';
import { settingsOf } from '../../config/resolve.js';
import { Failure } from '../../greylist/failure.js';
import { printable } from '../../greylist/printable.js';
import type { Merged, Store } from '../../greylist/store.js';
import { count } from '../../output/format.js';
import type { Terminal } from '../../output/terminal.js';
import { readSqlgrey } from '../../store/sqlite/sqlgrey.js';
import { fromSqlgrey, type FromSqlgrey, type ProvenNetwork } from '../../transfer/sqlgrey.js';
import { declareSettings, textOf } from '../arguments.js';
import { settingsFor, terminalFor, withStore, type Arguments, type Process } from '../context.js';

const domainsNamed = 3;

/** Options of `greyctl import sqlgrey`. */
export function declareSqlgrey(yargs: Argv): Argv {
  return declareSettings(yargs, ['decision'])
    .option('from', {
      type: 'string',
      requiresArg: true,
      demandOption: 'say where its SQLite database is: --from=FILE',
      describe: 'its SQLite database [FILE]',
    })
    .option('whitelist-networks', {
      type: 'boolean',
      describe: 'whitelist the networks of domain_awl for as long as they would be remembered',
    })
    .option('dry-run', { type: 'boolean', describe: 'only say what would be written' });
}

function commentOf(domains: ReadonlySet<string>): string {
  const more = domains.size - domainsNamed;
  const named = [...domains].slice(0, domainsNamed).map(printable).join(', ');
  return `sqlgrey: ${named}${more > 0 ? ` and ${more} more` : ''} came back`;
}

async function whitelistNetworks(
  store: Store,
  networks: readonly ProvenNetwork[],
  addedAt: number,
  maxAgeSeconds: number,
): Promise<void> {
  for (const { pattern, domains, lastSeen } of networks) {
    const comment = commentOf(domains);
    await store.addListed({ kind: 'client', pattern, comment, addedAt, expiresAt: lastSeen + maxAgeSeconds });
  }
}

/** What was found and done. */
interface Report extends FromSqlgrey {
  readonly source: string;
  /** Undefined where nothing was to be written. */
  readonly merged: Merged | undefined;
  readonly whitelisted: number;
}

async function printJson(terminal: Terminal, report: Report): Promise<void> {
  const { source, counts, networks, merged, whitelisted } = report;
  await terminal.json({
    source,
    triplets: { waiting: counts.waiting },
    awl_clients: counts.clients,
    network_rows: counts.networkRows,
    networks: networks.length,
    expired: counts.expired,
    unusable: counts.unusable,
    added: merged?.added ?? null,
    changed: merged?.changed ?? null,
    whitelisted,
  });
}

async function printText(terminal: Terminal, report: Report): Promise<void> {
  const { source, counts, networks, merged, whitelisted } = report;
  const rows: [string, number][] = [
    ['triplets waiting', counts.waiting],
    ['clients counted for the AWL', counts.clients],
    ['AWL rows of networks', counts.networkRows],
    ['networks of domain_awl', networks.length],
    ['expired, left out', counts.expired],
    ['unusable, left out', counts.unusable],
  ];
  await terminal.table(
    [{ title: 'SQLGREY' }, { title: source, align: 'right' }],
    rows.map(([what, number]) => [what, count(number)]),
  );
  await terminal.line(
    merged
      ? `moved over: ${count(merged.added)} were new, ${count(merged.changed)} changed; ${count(whitelisted)} networks whitelisted`
      : 'dry run: nothing was written',
  );
  if (counts.networkRows > 0 && whitelisted === 0)
    await terminal.line(
      'note: greyctl has no AWL of networks; --whitelist-networks lets those of domain_awl pass, ' +
        'and greyctl db learn takes what a mail log proves',
    );
}

/** Moves over. */
export async function importSqlgrey(argv: Arguments, outside: Process): Promise<undefined> {
  const { values } = settingsFor(argv, outside);
  const settings = settingsOf(values);
  const source = textOf(argv, 'from');
  if (!source) throw new Failure('say where its SQLite database is: --from=FILE', { kind: 'usage' });
  const now = outside.now();
  const found = fromSqlgrey(readSqlgrey(source), settings, now);
  const isDryRun = argv['dry-run'] === true;
  const listed = argv['whitelist-networks'] === true && !isDryRun ? found.networks : [];
  const merged = isDryRun
    ? undefined
    : await withStore(values, outside, async (store) => {
        await whitelistNetworks(store, listed, now, settings.maxAgeSeconds);
        return store.merge(found.entries, found.clients);
      });
  const report = { ...found, source, merged, whitelisted: listed.length };
  await (values.json ? printJson : printText)(terminalFor(values, outside), report);
  return undefined;
}
