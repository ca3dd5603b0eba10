import path from 'node:path';
import type { Argv } from 'yargs';
import { endpointText, parseEndpoint } from '../../config/endpoint.js';
import type { Option } from '../../config/option.js';
import { optionNames, options, type OptionName, type Values } from '../../config/options.js';
import { inetOf, originText, type Origin } from '../../config/resolve.js';
import { printable } from '../../greylist/printable.js';
import { Failure } from '../../greylist/failure.js';
import { mainCf, optionsFile, type PolicyForm } from '../../postfix/snippets.js';
import { declareSettings, givenSettings } from '../arguments.js';
import type { Subcommand } from '../command.js';
import {
  databaseLocation,
  refuseProblems,
  resolveSettings,
  settingsFor,
  terminalFor,
  type Arguments,
  type Process,
} from '../context.js';

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
  outside.stdout.write(mainCf(firstService(values), argv['form'] as PolicyForm | undefined));
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

function shown(name: OptionName, values: Values, outside: Process): readonly string[] {
  if (name === 'db') return [databaseLocation(values, outside)];
  if (name === 'inet') return inetOf(values);
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
  refuseProblems(resolved);
  return undefined;
}

const withSettings = (yargs: Argv) => declareSettings(yargs, groups);

/** `greyctl config`: text for other programs' files, and the settings in force. */
export function declare(yargs: Argv): Argv {
  return yargs
    .example('$0 config postfix --inet 127.0.0.1:60000', 'lines for main.cf')
    .example('$0 config options --delay=60 --max-age=10', 'a file for /etc/default/greyctl');
}

export const subcommands: readonly Subcommand[] = [
  {
    command: 'postfix',
    describe: 'main.cf lines for a server with these options',
    declare: (yargs) =>
      withSettings(yargs).option('form', {
        choices: ['plain', 'fail-open'],
        describe: 'only this form: mail waits, or flows, while greyctl does not answer',
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
    command: 'show',
    describe: 'every setting in force and where it came from',
    declare: withSettings,
    run: show,
  },
];
