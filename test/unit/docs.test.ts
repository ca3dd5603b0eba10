import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import createYargs, { type Argv } from 'yargs';
import { commands } from '#src/cli/commands.js';
import type { CommandModule } from '#src/cli/command.js';
import type { Option } from '#src/config/option.js';
import { optionNames, options } from '#src/config/options.js';
import type { Reason } from '#src/greylist/decide.js';
import { needs } from '../support/programs.js';

const root = path.join(import.meta.dirname, '..', '..', '..');
const manual = path.join(root, 'man', 'greyctl.8');
const fileManual = path.join(root, 'man', 'greyctl.conf.5');

interface Section {
  readonly title: string;
  readonly lines: string[];
}

/** The sections and subsections of a page, each up to the next. */
function sectionsOf(page: string): Section[] {
  const sections: Section[] = [];
  for (const line of readFileSync(page, 'utf8').split('\n')) {
    const [, title] = /^\.S[hs] (.*)$/.exec(line) ?? [];
    if (title !== undefined) sections.push({ title, lines: [] });
    else sections.at(-1)?.lines.push(line);
  }
  return sections;
}

function titled(sections: readonly Section[], title: string): Section {
  return sections.find((section) => section.title === title) ?? assert.fail(`there is no section ${title}`);
}

/** What stands below the head of a list that `isHead` accepts, up to the next head; undefined where there is none. */
function itemOf(lines: readonly string[], isHead: (head: string) => boolean): string | undefined {
  const start = lines.findIndex((line) => line.startsWith('.It ') && isHead(line));
  if (start < 0) return undefined;
  const length = lines
    .slice(start + 1)
    .findIndex((line) => line.startsWith('.It Fl') || /^\.It Cm \S+ No =/.test(line));
  return lines.slice(start + 1, length < 0 ? undefined : start + 1 + length).join('\n');
}

/** The options that the head of a list names: `.It Fl -delay Ns = Ns Ar TIME`, `.It Fl -quiet , Fl q`. */
function optionsIn(head: string): string[] {
  return [...head.matchAll(/\bFl (-?[\w-]+)/g)].map(([, name = '']) => name.replace(/^-/, ''));
}

function describesOption(lines: readonly string[], name: string): boolean {
  return itemOf(lines, (head) => optionsIn(head).includes(name)) !== undefined;
}

/** What a table's default looks like to people; undefined where each host has its own, or none. */
function defaultText(option: Option<unknown>): string | undefined {
  const [text] = option.default === undefined ? [] : option.write(option.default);
  return text === hostname() ? undefined : text;
}

/** True when the item says "Default:" and then, as a word of its own, `text`. */
function givesDefault(item: string, text: string): boolean {
  const [, stated] = /Default:([^]*)/.exec(item) ?? [];
  const at = stated?.indexOf(text) ?? -1;
  if (!stated || at < 0) return false;
  return /\s/.test(stated[at - 1] ?? ' ') && /[\s.,:;]/.test(stated[at + text.length] ?? ' ');
}

interface Declared {
  readonly key: Readonly<Record<string, unknown>>;
  readonly alias: Readonly<Record<string, readonly string[]>>;
  readonly hiddenOptions: readonly string[];
}

/** The options that `declare` adds, all their names, without the hidden ones. */
function declaredNames(declare: (yargs: Argv) => Argv): string[] {
  // yargs knows its options; its types do not say so.
  const { key, alias, hiddenOptions } = (
    declare(createYargs([])) as unknown as { getOptions(): Declared }
  ).getOptions();
  return Object.keys(key)
    .filter((name) => !hiddenOptions.includes(name))
    .flatMap((name) => [name, ...(alias[name] ?? [])]);
}

/** The modules of all commands, by the name of the command. */
async function commandModules(): Promise<Map<string, CommandModule>> {
  const folder = path.join(root, 'dist', 'cli', 'commands');
  const modules = new Map<string, CommandModule>();
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.js'))) {
    const name = path.basename(file, '.js');
    // What the folder holds is what main.ts loads.
    modules.set(name, (await import(path.join(folder, file))) as CommandModule);
  }
  return modules;
}

interface DeclaredCommand {
  /** As people type it: `whitelist add`. */
  readonly name: string;
  readonly declare: (yargs: Argv) => Argv;
  /** Positional arguments, which yargs counts among the options. */
  readonly positional: readonly string[];
  /** Does nothing itself: its subcommands do. */
  readonly isGroup: boolean;
}

/** The names in `add <pattern..>`. */
function positionalOf(command = ''): string[] {
  return [...command.matchAll(/[<[]([\w-]+)/g)].map(([, word = '']) => word);
}

/** Every command and subcommand. */
async function commandsDeclared(): Promise<DeclaredCommand[]> {
  return [...(await commandModules())].flatMap(([name, { declare, subcommands = [] }]): DeclaredCommand[] => [
    {
      name,
      declare,
      positional: positionalOf(commands.find((command) => command.name === name)?.positional),
      isGroup: subcommands.length > 0,
    },
    ...subcommands.map((subcommand) => ({
      name: `${name} ${subcommand.command.split(' ')[0] ?? ''}`,
      declare: subcommand.declare,
      positional: positionalOf(subcommand.command),
      isGroup: false,
    })),
  ]);
}

const settingSections = { general: 'every command', decision: 'the decision', server: 'the server' } as const;

test('the manual has a section for every command and subcommand', async () => {
  const sections = sectionsOf(manual);
  const commands = await commandsDeclared();
  assert.ok(commands.length > 6);
  for (const { name, isGroup } of commands) if (!isGroup) titled(sections, `greyctl ${name}`);
});

test('the manual describes no command that there is not', async () => {
  const names = new Set((await commandsDeclared()).map(({ name }) => `greyctl ${name}`));
  const described = sectionsOf(manual).filter(({ title }) => title.startsWith('greyctl '));
  assert.deepEqual(
    described.map(({ title }) => title).filter((title) => !names.has(title)),
    [],
  );
});

test('the manual describes every setting, by all its names, among the settings of its group', () => {
  const sections = sectionsOf(manual);
  for (const name of optionNames) {
    const option: Option<unknown> = options[name];
    const { lines } = titled(sections, `Settings of ${settingSections[option.group]}`);
    for (const each of [name, ...(option.alias ?? [])])
      assert.ok(describesOption(lines, each), `--${each} is not in greyctl.8`);
  }
});

test('the manual describes every option of a command in the section of the command', async () => {
  const sections = sectionsOf(manual);
  const shared = new Set<string>(
    optionNames.flatMap((name) => [name, ...((options[name] as Option<unknown>).alias ?? [])]),
  );
  for (const name of ['help', 'version', 'h']) {
    assert.ok(describesOption(titled(sections, 'Settings of every command').lines, name));
    shared.add(name);
  }
  for (const { name: command, declare, positional, isGroup } of await commandsDeclared()) {
    const own = declaredNames(declare).filter((name) => !shared.has(name) && !positional.includes(name));
    if (isGroup) assert.deepEqual(own, [], `greyctl ${command} has options of its own`);
    for (const name of own)
      assert.ok(
        describesOption(titled(sections, `greyctl ${command}`).lines, name),
        `--${name} of greyctl ${command} is not in greyctl.8`,
      );
  }
});

test('the manual gives the default of every setting that takes a value', () => {
  const sections = sectionsOf(manual);
  for (const name of optionNames) {
    const option: Option<unknown> = options[name];
    const text = option.argument === undefined ? undefined : defaultText(option);
    if (text === undefined) continue;
    const { lines } = titled(sections, `Settings of ${settingSections[option.group]}`);
    const item = itemOf(lines, (head) => optionsIn(head).includes(name)) ?? '';
    assert.ok(givesDefault(item, text), `greyctl.8 does not say that the default of --${name} is ${text}`);
  }
});

test('greyctl.conf(5) has every setting that a file may hold, with its default, and no other', () => {
  const lines = sectionsOf(fileManual).flatMap((section) => section.lines);
  const inFile = optionNames.filter(
    (name) => !(options[name] as Option<unknown>).commandLineOnly && name !== 'config',
  );
  for (const name of inFile) {
    const item = itemOf(lines, (head) => head.startsWith(`.It Cm ${name} No = `));
    assert.ok(item !== undefined, `${name} is not in greyctl.conf.5`);
    assert.ok(
      givesDefault(item, defaultText(options[name]) ?? ''),
      `greyctl.conf.5 does not give the default of ${name}`,
    );
  }
  const described = lines.flatMap((line) => /^\.It Cm (\S+) No = /.exec(line)?.[1] ?? []);
  assert.deepEqual(described.toSorted(), inFile.toSorted());
});

/** All reasons: a new one does not compile until it is here, and then must be in the manual. */
const reasons: Record<Reason, true> = {
  'client whitelist': true,
  'recipient whitelist': true,
  'sender whitelist': true,
  authenticated: true,
  'no recipient': true,
  'unusable request': true,
  'store unavailable': true,
  'client AWL': true,
  'triplet found': true,
  released: true,
  new: true,
  'early-retry': true,
  'too many from client': true,
  'too many waiting': true,
};

test('the manual explains every reason', () => {
  const { lines } = titled(sectionsOf(manual), 'LOG LINES');
  for (const reason of Object.keys(reasons))
    assert.ok(lines.includes(`.It Ql ${reason}`), `the reason "${reason}" is not in greyctl.8`);
});

for (const page of [manual, fileManual]) {
  test(`mandoc finds nothing wrong with ${path.basename(page)}`, needs('mandoc'), () => {
    const { stdout } = spawnSync('mandoc', ['-Tlint', '-Wwarning', page], { encoding: 'utf8' });
    assert.equal(stdout, '');
  });
}
