/**
 * /etc/default/postgrey: shell assignments of which POSTGREY_OPTS and POSTGREY_TEXT count. A value may stand in double or single quotes and
 * may refer to the earlier one ("$POSTGREY_OPTS --delay=60"); nothing else is expanded.
 */

export interface PostgreyDefaults {
  /** Words of the command line, cut at blanks: quotes are still in them. */
  readonly words: readonly string[];
  /** POSTGREY_TEXT, where it is set; it goes before a --greylist-text. */
  readonly text?: string;
}

const assignment =
  /^[ \t]*(?:export[ \t]+)?(POSTGREY_OPTS|POSTGREY_TEXT)=("(?:[^"\\]|\\[^])*"|'[^']*'|[^\s#]*)/gm;

function unquoted(value: string): string {
  if (value.startsWith("'")) return value.slice(1, -1);
  const inside = value.startsWith('"') ? value.slice(1, -1) : value;
  return inside.replace(/\\\n/g, '').replace(/\\(["\\`$])/g, '$1');
}

/** Reads the text of the file. */
export function parseDefaults(file: string): PostgreyDefaults {
  const values: Record<string, string> = {};
  for (const [, name = '', quoted = ''] of file.matchAll(assignment)) {
    const before = values[name] ?? '';
    values[name] = unquoted(quoted).replace(/\$\{?(POSTGREY_\w+)\}?/g, (found, other) =>
      other === name ? before : found,
    );
  }
  const { POSTGREY_OPTS: words = '', POSTGREY_TEXT: text } = values;
  return { words: words.split(/\s+/).filter(Boolean), ...(text && { text }) };
}
