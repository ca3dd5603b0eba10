import type { Argv } from 'yargs';
import type { Subcommand } from '../command.js';
import { addCommand, removeCommand } from '../whitelist/change.js';
import { exportCommand } from '../whitelist/export.js';
import { importCommand } from '../whitelist/import.js';
import { lintCommand } from '../whitelist/lint.js';
import { listCommand } from '../whitelist/list.js';
import { testCommand } from '../whitelist/test.js';

/** `greyctl whitelist`: entries kept in the database, and all lists in force. */
export function declare(yargs: Argv): Argv {
  return yargs;
}

export const subcommands: readonly Subcommand[] = [
  addCommand,
  removeCommand,
  listCommand,
  testCommand,
  lintCommand,
  importCommand,
  exportCommand,
];
