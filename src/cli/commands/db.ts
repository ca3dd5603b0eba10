import type { Argv } from 'yargs';
import { declareSettings } from '../arguments.js';
import { declareAttempt } from '../attempt.js';
import type { Subcommand } from '../command.js';
import { backup } from '../db/backup.js';
import { check } from '../db/check.js';
import { copy, declareCopy } from '../db/copy.js';
import { exportDatabase } from '../db/export.js';
import { declareForget, forget } from '../db/forget.js';
import { importDatabase } from '../db/import.js';
import { info } from '../db/info.js';
import { declareList, list } from '../db/list.js';
import { declarePurge, purge } from '../db/purge.js';
import { declareRelease, release } from '../db/release.js';
import { show } from '../db/show.js';
import { vacuum } from '../db/vacuum.js';
import { declareLearn, learn } from '../learn.js';

/** `greyctl db`: look into the database and tidy it, also while the server runs. */
export function declare(yargs: Argv): Argv {
  return yargs;
}

/** Whether the database holds hashes is a setting of the decision. */
const declareNothing = (yargs: Argv) => declareSettings(yargs, ['decision']);
const declareFile = (yargs: Argv) => declareNothing(yargs).positional('file', { type: 'string' });

export const subcommands: readonly Subcommand[] = [
  { command: 'info', describe: 'how much there is, and since when', declare: declareNothing, run: info },
  { command: 'list', describe: 'the triplets', declare: declareList, run: list },
  { command: 'show', describe: 'what is remembered of one attempt', declare: declareAttempt, run: show },
  {
    command: 'forget <what..>',
    needs: 'what to forget',
    describe: 'remove everything about an address, a domain or a client',
    declare: declareForget,
    run: forget,
  },
  {
    command: 'release',
    describe: 'let what waits pass at its next retry, or open a window for a recipient',
    declare: declareRelease,
    run: release,
  },
  {
    command: 'purge',
    describe: 'remove what has expired, or what the options choose',
    declare: declarePurge,
    run: purge,
  },
  {
    command: 'learn <log..>',
    needs: 'which mail log to learn from',
    describe: 'remember what mail logs prove, so that no known correspondent waits',
    declare: declareLearn,
    run: learn,
  },
  {
    command: 'backup <file>',
    needs: 'which file to make',
    describe: 'a consistent copy, also while the server runs',
    declare: declareFile,
    run: backup,
  },
  { command: 'check', describe: 'is the file sound?', declare: declareNothing, run: check },
  { command: 'vacuum', describe: 'give unused room back', declare: declareNothing, run: vacuum },
  {
    command: 'export [file]',
    describe: 'all that is remembered, as lines of JSON; - is standard output',
    declare: declareFile,
    run: exportDatabase,
  },
  {
    command: 'import <file>',
    needs: 'which file to read',
    describe: 'merge an export, all or nothing; - is standard input',
    declare: declareFile,
    run: importDatabase,
  },
  {
    command: 'copy <from> <to>',
    needs: 'from which database to which',
    describe: 'everything from one database into another, also while servers use both',
    declare: declareCopy,
    run: copy,
  },
];
