import type { Command } from './command.js';

/** All commands, in the order of the help. */
export const commands: readonly Command[] = [
  {
    name: 'serve',
    describe: 'the policy server: greylist mail for Postfix',
    load: () => import('./commands/serve.js'),
  },
  { name: 'stats', describe: 'what greylisting did', load: () => import('./commands/stats.js') },
  {
    name: 'whitelist',
    describe: 'clients, recipients and senders that are never deferred',
    load: () => import('./commands/whitelist.js'),
  },
  { name: 'db', describe: 'look into the database', load: () => import('./commands/db.js') },
  {
    name: 'import',
    describe: 'move over from another greylister',
    load: () => import('./commands/import.js'),
  },
  {
    name: 'explain',
    describe: 'the decision for one attempt, step by step',
    load: () => import('./commands/explain.js'),
  },
  {
    name: 'simulate',
    positional: '<log..>',
    needs: 'which mail log to read',
    describe: 'rehearse settings on a mail log',
    load: () => import('./commands/simulate.js'),
  },
  {
    name: 'config',
    describe: 'print configuration for Postfix, for the unit, and the settings in force',
    load: () => import('./commands/config.js'),
  },
  {
    name: 'doctor',
    describe: 'is Postfix wired right, the server there, the database healthy?',
    load: () => import('./commands/doctor.js'),
  },
  {
    name: 'completion',
    positional: '<shell>',
    needs: 'for which shell: bash or zsh',
    describe: 'completion for bash or zsh',
    load: () => import('./commands/completion.js'),
  },
];
