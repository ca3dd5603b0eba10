/**
 * Whitelist files: which ones are read, and their last good lists. The only module of this room that reads anything.
 *
 * The first load takes the good lines of every file and warns of the others. From then on a file is taken as a whole or not
 * at all: when it cannot be read, or a line in it is bad, its last good list stays in force and a warning says so. A
 * file named `*.local` may be missing from the start without a warning. There is no timer here: who holds the files asks.
 *
 * Limits: files of at most 16 MiB; at most 20 bad lines of a file are told one by one.
 */
import { constants } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { codeOf, reasonOf } from '../greylist/failure.js';
import { printable } from '../greylist/printable.js';
import type { ListKind } from '../greylist/store.js';
import { parseList, type Entry, type ParsedList, type Problem } from './syntax.js';

/** A file and the kind of entries in it. */
export interface ListFile {
  readonly kind: ListKind;
  readonly path: string;
}

export interface Loaded {
  /** Of all files, in their order. */
  readonly entries: readonly Entry[];
  /** One line each, harmless to print, beginning with the file. */
  readonly warnings: readonly string[];
  /** The entries are not the ones returned before. */
  readonly changed: boolean;
}

/** The lists of some files. Calls may overlap: they are done one after the other. None of them rejects. */
export interface ListFiles {
  /** Reads every file for the first time. */
  load(): Promise<Loaded>;
  /** Reads those that changed since; what was warned of is not repeated until the file changes again. */
  refresh(): Promise<Loaded>;
  /** Reads every file again, and warns again. */
  reload(): Promise<Loaded>;
}

const maxSizeBytes = 16 * 1024 * 1024;
const maxProblemsTold = 20;
/** Characters parsed before others get their turn on the event loop; some ten milliseconds of work. */
const chunkLength = 128 * 1024;

/** Which files to read: those that changed, without repeating warnings; or all. */
type Mode = 'changed' | 'all';

interface FileState extends ListFile {
  /** Of the file as it was last read; undefined when it could not be read. */
  version: string | undefined;
  /** Why it could not be read; empty when it could. */
  complaint: string;
  /** The last good list; undefined when there never was one. */
  entries: Entry[] | undefined;
}

interface Stamp {
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly size: bigint;
  readonly ino: bigint;
}

/** Changes when the file is written, replaced, or given other permissions. */
function versionOf({ mtimeNs, ctimeNs, size, ino }: Stamp): string {
  return [mtimeNs, ctimeNs, size, ino].join(' ');
}

async function readText(
  handle: FileHandle,
  file: string,
  isFile: boolean,
  sizeBytes: bigint,
): Promise<string> {
  // The usual way to name no list at all.
  if (file === '/dev/null') return '';
  if (!isFile) throw new Error('is not a regular file');
  if (sizeBytes > maxSizeBytes) throw new Error(`is larger than ${maxSizeBytes / 1024 / 1024} MiB`);
  return await handle.readFile('utf8');
}

async function readList({ kind, path: file }: ListFile): Promise<ParsedList & { version: string }> {
  // O_NONBLOCK: opening a named pipe must not wait for its writer.
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  let text: string;
  let version: string;
  try {
    // Before reading: what is written meanwhile makes another version.
    const before = await handle.stat({ bigint: true });
    version = versionOf(before);
    text = await readText(handle, file, before.isFile(), before.size);
  } finally {
    await handle.close();
  }
  const entries: Entry[] = [];
  const problems: Problem[] = [];
  for (let from = 0, line = 1; from < text.length;) {
    const newline = text.indexOf('\n', from + chunkLength);
    const chunk = text.slice(from, newline < 0 ? text.length : newline);
    const parsed = parseList(kind, chunk, file, line);
    for (const entry of parsed.entries) entries.push(entry);
    for (const problem of parsed.problems) problems.push(problem);
    line += chunk.split('\n').length;
    from += chunk.length + 1;
    await setImmediate();
  }
  return { entries, problems, version };
}

function told(file: string, problems: readonly Problem[]): string[] {
  const lines = problems
    .slice(0, maxProblemsTold)
    .map(({ line, message }) => `${printable(file)} line ${line}: ${message}`);
  const more = problems.length - lines.length;
  return more > 0 ? [...lines, `${printable(file)}: ${more} more lines are bad`] : lines;
}

function keeping({ path, entries = [] }: FileState, until: string): string {
  const count = `${entries.length} ${entries.length === 1 ? 'entry' : 'entries'}`;
  return `${printable(path)}: its last good list (${count}) stays in force until ${until}`;
}

async function isUnchanged(state: FileState): Promise<boolean> {
  if (state.version === undefined) return false;
  try {
    return versionOf(await stat(state.path, { bigint: true })) === state.version;
  } catch {
    return false;
  }
}

/** Warnings of a file that could not be read. */
function unreadable(state: FileState, error: unknown, mode: Mode): string[] {
  state.version = undefined;
  const missing = codeOf(error) === 'ENOENT';
  const complaint = reasonOf(error);
  const quiet = missing && state.entries === undefined && state.path.endsWith('.local');
  if (quiet || (mode === 'changed' && complaint === state.complaint)) return [];
  state.complaint = complaint;
  const warning = `${printable(state.path)}: ${printable(complaint)}`;
  return state.entries === undefined ? [warning] : [warning, keeping(state, 'it can be read again')];
}

/** Reads one file into its state; returns whether its list was replaced, and the warnings. */
async function update(state: FileState, mode: Mode): Promise<{ changed: boolean; warnings: string[] }> {
  if (mode === 'changed' && (await isUnchanged(state))) return { changed: false, warnings: [] };
  try {
    const { entries, problems, version } = await readList(state);
    const warnings = told(state.path, problems);
    state.version = version;
    state.complaint = '';
    if (problems.length > 0 && state.entries !== undefined) {
      return { changed: false, warnings: [...warnings, keeping(state, 'every line is good')] };
    }
    state.entries = entries;
    return { changed: true, warnings };
  } catch (error) {
    return { changed: false, warnings: unreadable(state, error, mode) };
  }
}

/** Prepares to read `files`; nothing is read before `load`. */
export function listFiles(files: readonly ListFile[]): ListFiles {
  const states = files.map((file): FileState => ({
    ...file,
    version: undefined,
    complaint: '',
    entries: undefined,
  }));
  let entries: readonly Entry[] = [];
  let loaded = false;
  let previous: Promise<unknown> = Promise.resolve();

  async function run(mode: Mode): Promise<Loaded> {
    const warnings: string[] = [];
    let changed = !loaded;
    loaded = true;
    for (const state of states) {
      const updated = await update(state, mode);
      warnings.push(...updated.warnings);
      changed ||= updated.changed;
    }
    if (changed) entries = states.flatMap((state) => state.entries ?? []);
    return { entries, warnings, changed };
  }

  function queued(mode: Mode): Promise<Loaded> {
    const result = previous.then(() => run(mode));
    previous = result;
    return result;
  }

  return {
    load: () => queued('all'),
    refresh: () => queued('changed'),
    reload: () => queued('all'),
  };
}
