/** What a command line that cannot be understood gets for an answer. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { commands } from '#src/cli/commands.js';
import { run } from '../support/greyctl.js';
import { temporaryFolder } from '../support/temporary.js';

async function answerTo(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await run(args);
  assert.deepEqual({ status, stdout }, { status: 2, stdout: '' }, args.join(' '));
  return stderr;
}

test('an unknown option is named, also where it took the next word for its value', async () => {
  for (const [args, option] of [
    [['simulate', '--folow', 'mail.log'], '--folow'],
    [['simulate', '--decision', 'mail.log'], '--decision'],
    [['simulate', '-z', 'mail.log'], '-z'],
    [['simulate', '--folow', '--delay=5min', '--bar=3', 'mail.log'], '--folow, --bar'],
    [['db', 'learn', '--dryrun', 'mail.log'], '--dryrun'],
    [['db', 'forget', '--dryrun', 'alice@example.com'], '--dryrun'],
    [['db', 'copy', '--form', 'a.db', 'b.db'], '--form'],
    [['whitelist', 'add', '--exipres', '3d', 'example.org'], '--exipres'],
    [['completion', '--shell-name', 'bash'], '--shell-name'],
  ] as const) {
    const command = args.slice(0, args[0] === 'db' || args[0] === 'whitelist' ? 2 : 1).join(' ');
    assert.equal(
      await answerTo(...args),
      `greyctl: there is no option ${option}\nTry: greyctl ${command} --help\n`,
    );
  }
});

test('without its arguments a command says what is missing, with an example', async () => {
  for (const [command, needs, example] of [
    ['simulate', 'which mail log to read', 'simulate /var/log/mail.log*'],
    ['simulate --json', 'which mail log to read', 'simulate /var/log/mail.log*'],
    ['db learn', 'which mail log to learn from', 'db learn /var/log/mail.log*'],
    ['db forget', 'what to forget', 'db forget alice@example.com'],
    [
      'db copy a.db',
      'from which database to which',
      'db copy /var/lib/greyctl/greyctl.db redis://redis.example',
    ],
    ['whitelist remove', 'what to remove', 'whitelist remove example.org'],
  ] as const)
    assert.equal(await answerTo(...command.split(' ')), `greyctl: say ${needs}\nTry: greyctl ${example}\n`);
});

test('an option without its value is told before the log that it is missing, too', async () => {
  assert.match(await answerTo('simulate', '--delay'), /^greyctl: Not enough arguments following: delay\n/);
});

test('every command that must be given something can say what', async () => {
  for (const { name, positional = '', needs, load } of commands) {
    const { subcommands = [] } = await load();
    for (const each of [{ command: `${name} ${positional}`, needs }, ...subcommands])
      assert.equal(each.needs !== undefined, each.command.includes('<'), each.command);
  }
});

test('the help of positional arguments is free of what only yargs understands', async () => {
  for (const args of [['simulate'], ['db', 'learn'], ['db', 'copy'], ['whitelist', 'add'], ['completion']]) {
    const { stdout } = await run([...args, '--help']);
    assert.match(stdout, /^Positionals:$/m);
    assert.doesNotMatch(stdout, /\[required\]|\[default: \[\]\]/);
  }
});

test('wrong values are blamed on the command line where they stood there, else on the configuration', async (t) => {
  const config = `${await temporaryFolder(t)}/greyctl.conf`;
  await writeFile(config, 'retry-window = 1d\n');
  const typed = 'greyctl: wrong command line: ';
  const mixed = 'greyctl: wrong configuration: ';
  for (const [args, begin, hint] of [
    [
      ['simulate', '--delay', '5min', 'mail.log'],
      `${typed}--delay: "5min" is not a duration`,
      'simulate --help',
    ],
    [
      ['db', 'list', '--delay=5min', '--max-age=x'],
      `${typed}2 problems:\n  --delay: "5min"`,
      'db list --help',
    ],
    [['stats', '--delay=3d'], `${typed}delay (259200 s) is not shorter`, 'stats --help'],
    [['stats', `--config=${config}`, '--delay=3d'], `${mixed}delay (259200 s) is not shorter`, 'config show'],
    [['stats', `--config=${config}`, '--delay=x'], `${typed}--delay: "x"`, 'stats --help'],
  ] as const) {
    const answer = await answerTo(...args);
    assert.ok(answer.startsWith(begin), answer);
    assert.ok(answer.endsWith(`\nTry: greyctl ${hint}\n`), answer);
  }
  const { stderr } = await run(['stats'], { env: { GREYCTL_DELAY: '5min' } });
  assert.match(
    stderr,
    /^greyctl: wrong configuration: GREYCTL_DELAY: "5min" .*\nTry: greyctl config show\n$/,
  );
});
