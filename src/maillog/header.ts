/**
 * What stands between the time stamp and the text of a log line: host, program and process.
 *
 *     HOST TAG[PID]: TEXT      HOST TAG: TEXT      HOST mail.info TAG[PID]: TEXT (busybox)
 *     HOST TAG PID MSGID STRUCTURED-DATA  TEXT     RFC 5424 section 6
 *     … TAG[PID]: [ID 197553 mail.info] TEXT       Solaris
 *     … docker-compose[1]: mail-1  | HEADER TEXT   a log within a log: the inner program counts
 *
 * A tag is Postfix's syslog_name and the program's name, joined with slashes: only the part behind the last one counts.
 */
import { isStructured, scanStamp } from './stamp.js';

const slash = 47;
const blank = 32;

/**
 * Programs whose lines say something about mail. `postfix`: one of Postfix's, but the tag does not say which, because rsyslog
 * ends an RFC 5424 APP-NAME at the first slash. `other` may still be a policy server.
 */
export type Program =
  | 'postfix'
  | 'smtpd'
  | 'postscreen'
  | 'cleanup'
  | 'qmgr'
  | 'delivery'
  | 'pickup'
  | 'bounce'
  | 'postsuper'
  | 'logger'
  | 'other';

export interface Header {
  readonly program: Program;
  /** Where the process id stands; nowhere (equal) when the tag has none. */
  readonly processStart: number;
  readonly processEnd: number;
  /** Index at which the text begins. */
  readonly text: number;
}

const programs: readonly (readonly [name: string, program: Program])[] = [
  ['smtpd', 'smtpd'],
  ['postscreen', 'postscreen'],
  ['cleanup', 'cleanup'],
  ['qmgr', 'qmgr'],
  ['nqmgr', 'qmgr'],
  ['oqmgr', 'qmgr'],
  ['smtp', 'delivery'],
  ['lmtp', 'delivery'],
  ['local', 'delivery'],
  ['virtual', 'delivery'],
  ['pipe', 'delivery'],
  ['discard', 'delivery'],
  ['error', 'delivery'],
  ['pickup', 'pickup'],
  ['bounce', 'bounce'],
  ['postsuper', 'postsuper'],
  ['rsyslogd', 'logger'],
  ['syslog-ng', 'logger'],
  ['journal', 'logger'],
  ['systemd-journald', 'logger'],
];

/** By length of the name: cheaper than making a string to look it up. */
const programsOfLength = Array.from({ length: 17 }, (_, length) =>
  programs.filter(([name]) => name.length === length),
);

/** The program whose name, the last part of a tag, ends at `end`. */
function programOf(line: string, start: number, end: number): Program {
  let nameAt = end;
  for (; nameAt > start; nameAt -= 1) {
    const code = line.charCodeAt(nameAt - 1);
    if (code === slash || code === blank) break;
  }
  for (const [name, program] of programsOfLength[end - nameAt] ?? []) {
    if (line.startsWith(name, nameAt)) return program;
  }
  return line.startsWith('postfix', nameAt) ? 'postfix' : 'other';
}

/** A log within a log, such as docker's: its header, where the text begins with one. */
function innerHeader(line: string, text: number): Header | undefined {
  const bar = line.indexOf('| ', text);
  const at = bar >= 0 && bar < text + 64 ? bar + 2 : text;
  const stamp = scanStamp(line, at);
  if (stamp) return readHeader(line, stamp.end + 1);
  return at === text ? undefined : { program: 'other', processStart: at, processEnd: at, text: at };
}

function structuredHeader(line: string, at: number): Header | undefined {
  const host = line.indexOf(' ', at);
  const tag = line.indexOf(' ', host + 1);
  const process = line.indexOf(' ', tag + 1);
  const message = line.indexOf(' ', process + 1);
  if (host < 0 || tag < 0 || process < 0 || message < 0) return undefined;
  const bracket = line.charCodeAt(message + 1) === 91 ? line.indexOf('] ', message) : message + 1;
  if (bracket < 0) return undefined;
  let text = bracket + 1;
  while (line.charCodeAt(text) === 32) text += 1;
  // The byte order mark that RFC 5424 section 6.4 puts before UTF-8.
  if (line.startsWith('\u00ef\u00bb\u00bf', text)) text += 3;
  // With another syslog_name than `postfix`, no tag tells a program of Postfix from others.
  const program = programOf(line, host + 1, tag);
  return {
    program: program === 'other' ? 'postfix' : program,
    processStart: tag + 1,
    processEnd: process,
    text,
  };
}

/** Index of the `[` of `[PID]` before `end`; `end` where the tag has no process id. */
function processAt(line: string, end: number): number {
  if (line.charCodeAt(end - 1) !== 93) return end;
  let at = end - 2;
  for (let code = line.charCodeAt(at); code >= 48 && code <= 57; code = line.charCodeAt(at)) at -= 1;
  return line.charCodeAt(at) === 91 ? at : end;
}

/** The header that begins at `at`, behind the time stamp; undefined when the line has none. */
export function readHeader(line: string, at: number): Header | undefined {
  const stampedAgain = scanStamp(line, at);
  if (stampedAgain) return readHeader(line, stampedAgain.end + 1);
  if (isStructured(line)) return structuredHeader(line, at);
  const colon = line.indexOf(': ', at);
  if (colon < 0) return undefined;
  const process = processAt(line, colon);
  const program = programOf(line, at, process);
  let text = colon + 2;
  if (line.charCodeAt(text) === 91 && line.startsWith('[ID ', text)) {
    const close = line.indexOf('] ', text);
    if (close > 0) text = close + 2;
  }
  if (program === 'other' && !line.startsWith('action=', text)) {
    const inner = innerHeader(line, text);
    if (inner) return inner;
  }
  return { program, processStart: process + 1, processEnd: Math.max(process + 1, colon - 1), text };
}
