/** Completion in real shells, `greyctl help`, and what the program loads for them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { commands } from '#src/cli/commands.js';
import { generalHelp } from '#src/cli/parser.js';
import { preparedText, preparedWidths } from '#src/cli/prepared.js';
import { run } from '../support/greyctl.js';
import { find, needs } from '../support/programs.js';
import { temporaryFolder } from '../support/temporary.js';

type Complete = (...words: string[]) => string[];

async function script(t: TestContext, shell: 'bash' | 'zsh'): Promise<string> {
  const { status, stdout, stderr } = await run(['completion', shell]);
  assert.deepEqual([status, stderr], [0, '']);
  const file = `${await temporaryFolder(t)}/${shell}`;
  writeFileSync(file, stdout);
  return file;
}

function shell(program: string, args: readonly string[]): string[] {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: 10_000 });
  assert.deepEqual([status, stderr], [0, '']);
  return stdout.split('\n').filter(Boolean);
}

async function inBash(t: TestContext): Promise<Complete> {
  const file = await script(t, 'bash');
  const ask =
    'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _greyctl; ((${#COMPREPLY[@]})) && printf "%s\\n" "${COMPREPLY[@]}"; true';
  return (...words) => shell('bash', ['--norc', '-c', ask, file, 'greyctl', ...words]);
}

/** A zsh at a terminal: what it runs when this is typed, tabulators and all. */
async function typedIntoZsh(t: TestContext, typed: string): Promise<string> {
  const file = await script(t, 'zsh');
  const folder = path.dirname(file);
  // What a shell of today does first; then greyctl only says what it was given.
  writeFileSync(
    `${folder}/begin`,
    [
      'PS1="> "; autoload -Uz compinit; compinit -u -D',
      `source ${file}`,
      'greyctl() { print -r -- "GOT<${(j:|:)@}>" }',
      'print -r -- "BEG""UN"',
    ].join('\n'),
  );
  const drive = [
    'zmodload zsh/zpty',
    'zpty shell "env TERM=dumb zsh -f -i"',
    'zpty -w shell "source $1"',
    'zpty -r shell output "*BEGUN*"',
    'zpty -w -n shell "$2"',
    'zpty -r shell output "*GOT<*>*"',
    'print -r -- ${${output##*GOT<}%%>*}',
    'zpty -d shell',
  ].join('\n');
  const [line = ''] = shell(find('zsh') ?? '', ['-f', '-c', drive, 'drive', `${folder}/begin`, `${typed}\r`]);
  return line;
}

test('zsh at a terminal completes what is typed', needs('zsh'), async (t) => {
  for (const [typed, run] of [
    ['greyctl wh\t ad\tcl\texample.com', 'whitelist|add|client|example.com'],
    ['greyctl db li\t--stat\twai\t', 'db|list|--state|waiting'],
    ['greyctl stats --color=al\t', 'stats|--color=always'],
    ['greyctl completion z\t', 'completion|zsh'],
  ] as const)
    assert.equal(await typedIntoZsh(t, typed), run, typed);
});

/** zsh's own functions need a terminal: these in their place print what they are given. */
async function inZsh(t: TestContext): Promise<Complete> {
  const file = await script(t, 'zsh');
  const ask = [
    'compdef() { : }; _files() { : }; compset() { : }',
    '_describe() { local word; for word in ${(P)@[-1]}; do print -r -- "${word%%:*}"; done }',
    'source "$0"; words=("$@"); CURRENT=$#; _greyctl',
  ].join('\n');
  return (...words) =>
    shell(find('zsh') ?? '', ['-f', '-c', ask, file, 'greyctl', ...words]).filter((word) =>
      word.startsWith(words.at(-1) ?? ''),
    );
}

for (const [name, start] of [
  ['bash', inBash],
  ['zsh', inZsh],
] as const) {
  test(`${name} completes commands, subcommands, options, their values and kinds`, needs(name), async (t) => {
    const complete = await start(t);
    assert.deepEqual(complete(''), [...commands.map((command) => command.name), 'help']);
    assert.deepEqual(complete('wh'), ['whitelist']);
    assert.ok(complete('whitelist', '').includes('remove'));
    assert.deepEqual(complete('whitelist', 'add', ''), ['client', 'recipient', 'sender']);
    assert.deepEqual(complete('whitelist', 'add', 'client', ''), []);
    assert.deepEqual(complete('whitelist', 'add', '--comm'), ['--comment']);
    assert.deepEqual(complete('serve', '--auto'), ['--auto-whitelist-clients']);
    assert.deepEqual(complete('serve', '--config', ''), []);
    assert.ok(complete('config', 'postfix', '--form', '').includes('fail-open'));
    assert.deepEqual(complete('completion', ''), ['bash', 'zsh']);
    assert.deepEqual(complete('completion', 'bash', ''), []);
    assert.deepEqual(complete('stats', '--color', ''), ['auto', 'always', 'never']);
    assert.deepEqual(complete('serve', '--client-key', 'd'), ['domain']);
    assert.ok(complete('serve', '--syslog-facility', '').includes('local7'));
    assert.deepEqual(complete('db', 'list', '--state', ''), ['waiting', 'released', 'passed', 'expired']);
    assert.deepEqual(complete('whitelist', 'export', '--kind', 's'), ['sender']);
    assert.deepEqual(complete('help', 'do'), ['doctor']);
  });

  test(`${name} neither runs nor expands what is being completed`, needs(name), async (t) => {
    const complete = await start(t);
    const trap = `${await temporaryFolder(t)}/trap`;
    for (const word of [
      `$(touch ${trap})`,
      `\`touch ${trap}\``,
      `"; touch ${trap}; "`,
      "'",
      '*',
      '[',
      '--$(',
      '\u001b[2J',
    ]) {
      assert.deepEqual(complete(word), []);
      complete(word, word, word);
      complete('whitelist', 'add', word);
    }
    assert.equal(existsSync(trap), false);
  });
}

test('every option of every command is in the script', async () => {
  const { stdout } = await run(['completion', 'bash']);
  for (const command of commands) {
    const help = (await run(['help', command.name])).stdout;
    for (const [option] of help.matchAll(/(?<=^ +(-\w, )*)--[\w-]+/gm))
      if (option !== '--version') assert.ok(stdout.includes(option), `${option} of ${command.name}`);
  }
});

test('greyctl help COMMAND is greyctl COMMAND --help, which has examples', async () => {
  for (const { name } of commands) {
    const [asked, given] = [await run(['help', name]), await run([name, '--help'])];
    assert.deepEqual(asked, given);
    assert.equal(asked.status, 0);
    assert.match(asked.stdout, /\nExamples:\n +\S/, name);
  }
  for (const { name, load } of commands) {
    for (const { command } of (await load()).subcommands ?? []) {
      const [word = ''] = command.split(' ');
      assert.match((await run([name, word, '--help'])).stdout, /\nExamples:\n +\S/, `${name} ${word}`);
    }
  }
  assert.deepEqual(await run(['help', 'db', 'list']), await run(['db', 'list', '--help']));
  assert.deepEqual(await run(['help']), await run(['--help']));
  assert.equal((await run(['help', 'nothing'])).status, 2);
});

/** The modules that a command loads, as V8 counts them; workers included. */
async function loadedBy(t: TestContext, ...args: string[]): Promise<string[]> {
  const folder = await temporaryFolder(t);
  await run(args, { env: { NODE_V8_COVERAGE: folder } });
  const reports = readdirSync(folder).filter((name) => name.startsWith('coverage-'));
  assert.ok(reports.length > 0);
  return reports.flatMap((name) => {
    const report = JSON.parse(readFileSync(path.join(folder, name), 'utf8')) as { result: { url: string }[] };
    return report.result.map(({ url }) => url).filter((url) => url.startsWith('file:'));
  });
}

test('greyctl --help and --version load no more than they need', async (t) => {
  const heavy =
    /node_modules\/(better-sqlite3|re2js|tldts[^/]*|cli-table3|chalk)\/|dist\/(store|server|maillog|cli\/commands)\//;
  for (const args of [['--help'], ['--version'], []]) {
    const urls = await loadedBy(t, ...args);
    assert.ok(urls.some((url) => url.endsWith('dist/cli/main.js')));
    assert.deepEqual(
      urls.filter((url) => heavy.test(url)),
      [],
    );
  }
  for (const args of [['--help'], ['help'], ['completion', 'bash'], ['completion', 'zsh']]) {
    assert.deepEqual(
      (await loadedBy(t, ...args)).filter((url) => /node_modules|dist\/cli\/parser/.test(url)),
      [],
      args.join(' '),
    );
  }
  assert.ok(
    (await loadedBy(t, 'config', 'show')).some((url) => heavy.test(url)),
    'the check sees what is loaded',
  );
});

test('what was prepared when greyctl was built is what the commands print', async () => {
  for (const args of [['--help'], ['completion', 'bash'], ['completion', 'zsh']]) {
    // With one option more the slow way is taken.
    const [prepared, printed] = [await run(args), await run([...args, '--json'])];
    assert.equal(prepared.stdout, printed.stdout, `${args.join(' ')}: npm run build prepares it anew`);
    assert.deepEqual([prepared.status, prepared.stderr, printed.status], [0, '', 0]);
  }
  for (const width of preparedWidths)
    assert.equal(preparedText(['--help'], width), await generalHelp(width), `in ${width} columns`);
  assert.equal(preparedText(['--help'], 79), undefined);
});
