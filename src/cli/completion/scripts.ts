/**
 * Completion scripts with all words in them: completing starts no program. What has been typed is compared, and never
 * expanded or evaluated.
 */
import type { CommandWords, OptionWord } from './words.js';

interface Level {
  /** The command, and below it its subcommands; a command without any has itself only. */
  readonly command: CommandWords;
  readonly subcommands: readonly CommandWords[];
}

function levels(words: readonly CommandWords[]): Level[] {
  return words
    .filter(({ name }) => !name.includes(' '))
    .map((command) => ({
      command,
      subcommands: words.filter(({ name }) => name.startsWith(`${command.name} `)),
    }));
}

function lastWord(name: string): string {
  return name.slice(name.lastIndexOf(' ') + 1);
}

/** In single quotes, for bash and zsh. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** One of each option of all commands that `wanted` takes. */
function distinct(words: readonly CommandWords[], wanted: (option: OptionWord) => boolean): OptionWord[] {
  const found = new Map<string, OptionWord>();
  for (const { options } of words)
    for (const option of options) if (wanted(option)) found.set(option.word, option);
  return [...found.values()];
}

/** How one shell is told what may come next. */
interface Dialect {
  offerCommands(commands: readonly CommandWords[]): string;
  offerOptions(options: readonly OptionWord[]): string;
  offerWords(words: readonly string[]): string;
}

function argumentsOf({ options, kinds }: CommandWords, place: number, dialect: Dialect): string[] {
  const offer = [`if [[ $cur == -* ]]; then ${dialect.offerOptions(options)}`];
  if (kinds.length > 0) offer.push(`elif (( place == ${place} )); then ${dialect.offerWords(kinds)}`);
  return [...offer, 'fi'];
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `    ${line}`);
}

function commandCase({ command, subcommands }: Level, dialect: Dialect): string[] {
  const head = `${command.name})`;
  if (subcommands.length === 0) return [head, ...indented([...argumentsOf(command, 2, dialect), ';;'])];
  const cases = subcommands.flatMap((subcommand) => [
    `${lastWord(subcommand.name)})`,
    ...indented([...argumentsOf(subcommand, 3, dialect), ';;']),
  ]);
  return [
    head,
    ...indented([
      `if (( place == 2 )); then ${dialect.offerCommands(subcommands)}`,
      'else case $second in',
      ...cases,
      'esac; fi',
      ';;',
    ]),
  ];
}

/** The body that bash and zsh share: what comes next, by the words before. */
function body(words: readonly CommandWords[], dialect: Dialect, files: string): string[] {
  const all = levels(words);
  const commands = all.map(({ command }) => command);
  const choices = distinct(words, (option) => option.choices.length > 0);
  const values = distinct(words, (option) => option.takesValue && option.choices.length === 0);
  return [
    'case $prev in',
    ...choices.map((option) => `${option.word}) ${dialect.offerWords(option.choices)}; return ;;`),
    `${values.map(({ word }) => word).join('|')}) ${files}; return ;;`,
    'esac',
    `if (( place == 1 )); then ${dialect.offerCommands(commands)}; return; fi`,
    'case $first in',
    `help) if (( place == 2 )); then ${dialect.offerCommands(commands)}; fi ;;`,
    ...all.flatMap((level) => commandCase(level, dialect)),
    'esac',
  ];
}

const help: CommandWords = { name: 'help', describe: 'how a command is used', options: [], kinds: [] };

/** For `source <(greyctl completion bash)`, or a file in bash-completion's folder. */
export function bashScript(words: readonly CommandWords[]): string {
  const offer = (list: readonly string[]) => `words=${quoted(list.join(' '))}`;
  const dialect: Dialect = {
    offerCommands: (commands) => offer(commands.map(({ name }) => lastWord(name))),
    offerOptions: (options) => offer(options.map(({ word }) => word)),
    offerWords: offer,
  };
  return [
    '# bash completion for greyctl; made by: greyctl completion bash',
    '_greyctl_words() {',
    '    words=',
    ...indented(body([...words, help], dialect, ':')),
    '}',
    '_greyctl() {',
    '    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} place=$COMP_CWORD',
    "    local first=${COMP_WORDS[1]} second=${COMP_WORDS[2]} words word IFS=$' \\t\\n'",
    // bash splits `--form=plain` in three.
    '    if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi',
    '    _greyctl_words',
    '    COMPREPLY=()',
    '    for word in $words; do if [[ $word == "$cur"* ]]; then COMPREPLY+=("$word"); fi; done',
    '}',
    'complete -o default -F _greyctl greyctl',
    '',
  ].join('\n');
}

/** For `source <(greyctl completion zsh)`, or a file `_greyctl` in a folder of fpath. */
export function zshScript(words: readonly CommandWords[]): string {
  const describe = (list: readonly { word: string; describe: string }[]) =>
    list.map((item) => quoted(`${item.word}:${item.describe}`)).join(' ');
  const dialect: Dialect = {
    offerCommands: (commands) =>
      `found=(${describe(commands.map((command) => ({ word: lastWord(command.name), describe: command.describe })))}); _describe command found`,
    offerOptions: (options) => `found=(${describe(options)}); _describe -o option found`,
    offerWords: (list) => `found=(${list.map(quoted).join(' ')}); _describe value found`,
  };
  return [
    '#compdef greyctl',
    '# zsh completion for greyctl; made by: greyctl completion zsh',
    '_greyctl() {',
    '    local cur=$words[CURRENT] prev=$words[CURRENT-1] first=$words[2] second=$words[3]',
    '    local -i place=$(( CURRENT - 1 ))',
    '    local -a found',
    '    if [[ $cur == --*=* ]]; then prev=${cur%%=*} cur=; compset -P "*="; fi',
    ...indented(body([...words, help], dialect, '_files')),
    '    (( $#found )) || _files',
    '}',
    'if [[ $funcstack[1] == _greyctl ]]; then _greyctl "$@"; else compdef _greyctl greyctl; fi',
    '',
  ].join('\n');
}
