/**
 * greyctl.conf: `name = value` a line, names as on the command line without the dashes. `#` at the start of a line or after a blank
 * begins a comment, except within double quotes around the whole value. A setting that may be repeated has a line for each.
 */

export interface FileSetting {
  readonly name: string;
  readonly text: string;
  readonly line: number;
}

export interface FileProblem {
  readonly line: number;
  readonly message: string;
}

/** Splits the text of a configuration file into settings and lines that are none. */
export function parseConfigFile(text: string): { settings: FileSetting[]; problems: FileProblem[] } {
  const settings: FileSetting[] = [];
  const problems: FileProblem[] = [];
  for (const [index, raw] of text
    .replace(/^\ufeff/, '')
    .split('\n')
    .entries()) {
    const line = index + 1;
    const content = raw.trim();
    if (content === '' || content.startsWith('#')) continue;
    const [, name, rest = ''] = /^([a-z0-9-]+)\s*=\s*(.*)$/i.exec(content) ?? [];
    if (name === undefined) {
      problems.push({ line, message: 'not a setting: a line is NAME = VALUE' });
      continue;
    }
    const quoted = /^"([^"]*)"\s*(?:#.*)?$/.exec(rest);
    const value = quoted ? (quoted[1] ?? '') : rest.replace(/(^|\s+)#.*$/, '').trim();
    settings.push({ name: name.toLowerCase(), text: value, line });
  }
  return { settings, problems };
}

/** A line that is read back as this setting; undefined for a text that no line can hold. */
export function configLine(name: string, text: string): string | undefined {
  for (const value of [text, `"${text}"`]) {
    const line = `${name} = ${value}`;
    const { settings } = parseConfigFile(line);
    if (settings.length === 1 && settings[0]?.text === text) return line;
  }
  return undefined;
}
