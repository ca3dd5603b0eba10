import type { Argv } from 'yargs';
import type { Subcommand } from '../command.js';
import { declarePostgrey, importPostgrey } from '../moving/postgrey.js';
import { declareSqlgrey, importSqlgrey } from '../moving/sqlgrey.js';

/** `greyctl import`: settings and database of another greylister. */
export function declare(yargs: Argv): Argv {
  return yargs;
}

export const subcommands: readonly Subcommand[] = [
  {
    command: 'postgrey',
    describe: 'its database and settings',
    declare: declarePostgrey,
    run: importPostgrey,
  },
  {
    command: 'sqlgrey',
    describe: 'what its SQLite database says that greyctl can',
    declare: declareSqlgrey,
    run: importSqlgrey,
  },
];
