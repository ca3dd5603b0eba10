/** `journalctl -o json`: one object a line (systemd.journal-fields(7)). */

export interface JournalEntry {
  /** Epoch seconds. */
  readonly time: number;
  /** `TAG[PID]: TEXT`, as a binary string. */
  readonly line: string;
}

/** A field that an entry holds several times is a list of what it holds: the first of them. */
function firstOf(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  const list: unknown[] = value;
  return typeof list[0] === 'number' ? list : list[0];
}

/** A field is a string, or a list of bytes where it is no printable UTF-8. */
function fieldText(field: unknown): string | undefined {
  const value = firstOf(field);
  if (typeof value === 'string') return Buffer.from(value, 'utf8').toString('latin1');
  if (!Array.isArray(value)) return undefined;
  const bytes: unknown[] = value;
  return bytes.every((byte) => typeof byte === 'number') ? Buffer.from(bytes).toString('latin1') : undefined;
}

function parsed(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(line, 'latin1').toString('utf8'));
    // JSON.parse makes nothing but plain objects.
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** The entry in a line that begins with `{`; undefined when it is none. */
export function readJournalEntry(line: string): JournalEntry | undefined {
  const fields = parsed(line);
  const text = fields && fieldText(fields['MESSAGE']);
  const microseconds = Number(firstOf(fields?.['__REALTIME_TIMESTAMP']));
  if (text === undefined || !Number.isSafeInteger(microseconds) || microseconds <= 0) return undefined;
  const tag = fieldText(fields?.['SYSLOG_IDENTIFIER']) ?? fieldText(fields?.['_COMM']) ?? 'unknown';
  const process = fieldText(fields?.['SYSLOG_PID'] ?? fields?.['_PID']);
  return {
    time: Math.floor(microseconds / 1e6),
    line: `${tag}${process === undefined ? '' : `[${process}]`}: ${text.replaceAll('\n', ' ')}`,
  };
}
