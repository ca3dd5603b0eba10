import path from 'node:path';
import type { Argv } from 'yargs';
import { endpointText, parseEndpoint } from '../../config/endpoint.js';
import type { Option } from '../../config/option.js';
import { optionNames, options, type OptionName, type Values } from '../../config/options.js';
import { inetOf, originText, type Origin } from '../../config/resolve.js';
import { Failure } from '../../greylist/failure.js';
import { excerpt, printable } from '../../greylist/printable.js';
import type { ListKind } from '../../greylist/store.js';
import { count } from '../../output/format.js';
import { mainCf, optionsFile, restrictionClass, type PolicyForm } from '../../postfix/snippets.js';
import { unitFiles } from '../../postfix/units.js';
import { listFiles } from '../../whitelist/files.js';
import { declareSettings, givenSettings, textOf } from '../arguments.js';
import { answerIsNo, type Subcommand } from '../command.js';
import {
  databaseLocation,
  refuseProblems,
  resolveSettings,
  settingsFor,
  terminalFor,
  type Arguments,
  type Process,
} from '../context.js';
import { chosenLists } from '../lists.js';

const groups = ['server', 'decision'] as const;

/** The first place to listen on, as Postfix names it. */
function firstService(values: Values): string {
  const [inet] = inetOf(values);
  if (inet !== undefined) {
    const endpoint = parseEndpoint(inet);
    if (endpoint) return `inet:${endpointText(endpoint)}`;
  }
  return `unix:${path.resolve(values.unix[0] ?? '')}`;
}

async function postfix(argv: Arguments, outside: Process): Promise<undefined> {
  const { values } = settingsFor(argv, outside);
  // yargs has checked the choices.
  const form = argv['form'] as PolicyForm | undefined;
  const service = firstService(values);
  const name = textOf(argv, 'class');
  if (name !== undefined && !/^[a-z]\w{0,63}$/i.test(name)) {
    throw new Failure(`--class: "${excerpt(name)}" is not a name of letters, digits and _`, {
      kind: 'usage',
    });
  }
  outside.stdout.write(name === undefined ? mainCf(service, form) : restrictionClass(service, name, form));
  return Promise.resolve(undefined);
}

async function optionsCommand(argv: Arguments, outside: Process): Promise<undefined> {
  settingsFor(argv, outside);
  const given = givenSettings(argv);
  const args = optionNames.flatMap((name) => {
    const option: Option<unknown> = options[name];
    if (option.commandLineOnly) return [];
    const texts = given[name] ?? [];
    const counted = option.repeatable ? texts : texts.slice(-1);
    return counted.map((text) => (option.argument ? `--${name}=${text}` : text === 'yes' ? `--${name}` : ''));
  });
  const mixed = args.find((arg) => arg.includes("'") && arg.includes('"'));
  if (mixed !== undefined) {
    throw new Failure('a value with both kinds of quotes cannot be written into an options file', {
      kind: 'usage',
      hint: 'put this setting into /etc/greyctl/greyctl.conf',
    });
  }
  outside.stdout.write(optionsFile(args.filter(Boolean)));
  return Promise.resolve(undefined);
}

async function systemd(argv: Arguments, outside: Process): Promise<undefined> {
  const { values } = settingsFor(argv, outside);
  const inet = inetOf(values).flatMap((text) => {
    const endpoint = parseEndpoint(text);
    return endpoint ? [endpointText(endpoint)] : [];
  });
  const program = textOf(argv, 'program') ?? '/usr/bin/greyctl';
  if (!path.isAbsolute(program)) {
    throw new Failure(`--program: "${excerpt(program)}" is not an absolute path, which systemd wants`, {
      kind: 'usage',
      hint: 'readlink -f bin/greyctl.js',
    });
  }
  outside.stdout.write(
    unitFiles({
      program,
      sockets: [...inet, ...values.unix.map((name) => path.resolve(name))],
      socketMode: values.socketmode.toString(8).padStart(4, '0'),
      isActivated: argv['socket'] === true,
    }),
  );
  return Promise.resolve(undefined);
}

async function logrotate(_: Arguments, outside: Process): Promise<undefined> {
  outside.stdout.write(
    '# Nothing to rotate: greyctl writes no log file. Its lines go to the journal or, with --daemonize, to syslog,\n' +
      '# whose own files (/var/log/mail.log) the rules of rsyslog rotate.\n',
  );
  return Promise.resolve(undefined);
}

async function check(argv: Arguments, outside: Process): Promise<number> {
  const resolved = resolveSettings(argv, outside);
  const { files, notes } = chosenLists(resolved.values);
  const { entries, warnings } = await listFiles(files).load();
  const terminal = terminalFor(resolved.values, outside);
  if (resolved.values.json) {
    const { problems } = resolved;
    await terminal.json({
      problems,
      list_problems: warnings,
      warnings: resolved.warnings,
      entries: entries.length,
    });
  } else {
    for (const line of [...resolved.problems, ...warnings]) await terminal.line(printable(line));
    for (const line of [...resolved.warnings, ...notes]) await terminal.line(`note: ${printable(line)}`);
    if (resolved.problems.length + warnings.length === 0)
      await terminal.line(
        `the configuration is good; the whitelist files have ${count(entries.length)} entries`,
      );
  }
  if (resolved.problems.length > 0) return 2;
  return warnings.length > 0 ? answerIsNo : 0;
}

/** The settings that have default files. */
const listKinds: Readonly<Partial<Record<OptionName, ListKind>>> = {
  'whitelist-clients': 'client',
  'whitelist-recipients': 'recipient',
  'whitelist-senders': 'sender',
};

function shown(name: OptionName, values: Values, outside: Process): readonly string[] {
  if (name === 'db') return [databaseLocation(values, outside)];
  if (name === 'inet') return inetOf(values);
  const kind = listKinds[name];
  if (kind)
    return chosenLists(values)
      .files.filter((file) => file.kind === kind)
      .map((file) => file.path);
  return (options[name] as Option<unknown>).write(values[name]);
}

async function show(argv: Arguments, outside: Process): Promise<undefined> {
  const resolved = resolveSettings(argv, outside);
  const { values, origins } = resolved;
  for (const warning of resolved.warnings) outside.stderr.write(`greyctl: ${printable(warning)}\n`);
  const terminal = terminalFor(values, outside);
  const names = optionNames.filter((name) => !(options[name] as Option<unknown>).commandLineOnly);
  const place = (name: OptionName, origin: Origin) =>
    origin.from === 'default' ? 'default' : originText(name, origin);
  if (values.json) {
    const document = Object.fromEntries(
      names.map((name) => [
        name.replaceAll('-', '_'),
        { value: shown(name, values, outside).join(', ') || null, origin: place(name, origins[name]) },
      ]),
    );
    await terminal.json(document);
  } else {
    await terminal.table(
      [{ title: 'SETTING' }, { title: 'VALUE', isElastic: true }, { title: 'FROM', isElastic: true }],
      names.map((name) => [name, shown(name, values, outside).join(', '), place(name, origins[name])]),
    );
  }
  refuseProblems(resolved, givenSettings(argv));
  return undefined;
}

const withSettings = (yargs: Argv) => declareSettings(yargs, groups);

/** `greyctl config`: text for other programs' files, and the settings in force. */
export function declare(yargs: Argv): Argv {
  return yargs;
}

export const subcommands: readonly Subcommand[] = [
  {
    command: 'postfix',
    describe: 'main.cf lines for a server with these options',
    declare: (yargs) =>
      withSettings(yargs)
        .option('form', {
          choices: ['plain', 'fail-open'],
          describe: 'only this form: mail waits, or flows, while greyctl does not answer',
        })
        .option('class', {
          type: 'string',
          requiresArg: true,
          describe: 'a restriction class: greylist only recipients that a table names [NAME]',
        }),
    run: postfix,
  },
  {
    command: 'options',
    describe: 'a file with exactly these options for the unit',
    declare: withSettings,
    run: optionsCommand,
  },
  {
    command: 'systemd',
    describe: 'units for systemd',
    declare: (yargs) =>
      withSettings(yargs)
        .option('socket', { type: 'boolean', describe: 'systemd opens the sockets: a socket unit, too' })
        .option('program', { type: 'string', requiresArg: true, describe: 'where greyctl is [PATH]' }),
    run: systemd,
  },
  {
    command: 'logrotate',
    describe: 'what to rotate: nothing',
    declare: (yargs) => yargs,
    run: logrotate,
  },
  {
    command: 'check',
    describe: 'every problem of the settings and of the whitelist files',
    declare: withSettings,
    run: check,
  },
  {
    command: 'show',
    describe: 'every setting in force and where it came from',
    declare: withSettings,
    run: show,
  },
];
