import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commands } from '#src/cli/commands.js';
import { examples } from '#src/cli/examples.js';
import { parse } from '#src/cli/parser.js';

/** The names of all commands and subcommands, as people type them. */
async function allNames(): Promise<string[]> {
  const names: string[] = [];
  for (const { name, load } of commands) {
    const { subcommands = [] } = await load();
    names.push(name, ...subcommands.map(({ command }) => `${name} ${command.split(' ')[0] ?? ''}`));
  }
  return names;
}

/** The arguments of the greyctl in a line of shell: up to a pipe or a redirection, without variables. */
function argumentsIn(line: string): string[] {
  const [, own = ''] = /\$0 ([^|>)]*)/.exec(line) ?? [];
  return [...own.matchAll(/"([^"]*)"|(\S+)/g)]
    .map(([, quoted, plain]) => quoted ?? plain ?? '')
    .filter((word) => !word.startsWith('$'));
}

test('every command and subcommand has two or three examples, and no other has any', async () => {
  assert.deepEqual(Object.keys(examples).toSorted(), (await allNames()).toSorted());
  for (const [name, some] of Object.entries(examples))
    assert.ok(some.length === 2 || some.length === 3, `${name} has ${some.length}`);
});

test('every example is parsed as the command it is for', async () => {
  for (const [name, some] of Object.entries(examples)) {
    for (const [line] of some) {
      const performed: unknown[] = [];
      let command = '';
      await parse(argumentsIn(line), 100, {
        at: (reached) => (command = reached),
        perform: (run) => {
          performed.push(run);
          return Promise.resolve();
        },
      });
      assert.equal(performed.length, 1, line);
      assert.equal(typeof performed[0], 'function', line);
      // What is shown of a group is one of its subcommands.
      assert.ok(`${command} `.startsWith(`greyctl ${name} `), `${line} is ${command}`);
    }
  }
});

test('a line that is no command is not taken for an example', async () => {
  const course = { at: () => undefined, perform: () => Promise.resolve() };
  for (const line of ['$0 db lisst', '$0 db list --colour', '$0 simulate', '$0 completion fish'])
    await assert.rejects(parse(argumentsIn(line), 100, course), line);
});
