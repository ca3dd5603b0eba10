import { reasonOf } from '../greylist/failure.js';
import type { Store } from '../greylist/store.js';
import type { ListFiles } from '../whitelist/files.js';
import { compile, inOrder, type Match, type Subject, type Whitelist } from '../whitelist/matcher.js';
import { parseStored } from '../whitelist/syntax.js';
import type { Log, Warn } from './log.js';

/** How often files and store are looked at; a change is in force at most twice this later. */
const pollMs = 1000;

/** The whitelists in force: files and stored entries, followed as they change. */
export interface Lists {
  match(subject: Subject, now: number): Match | undefined;
  /** Reads all files anew, changed or not. */
  reload(): Promise<void>;
  /** Stops following. */
  close(): void;
}

/**
 * Loads the whitelists and follows them. A file that cannot be read, or a store that does not answer, leaves the last good list in
 * force; `log` and `warn` say so.
 */
export async function followLists(
  files: ListFiles,
  store: Pick<Store, 'listed' | 'listedRevision'>,
  log: Log,
  warn: Warn,
): Promise<Lists> {
  let fromFiles: Whitelist = compile([]);
  let stored: Whitelist = compile([]);
  let revision: number | undefined;

  function apply(result: Awaited<ReturnType<ListFiles['load']>>): void {
    for (const warning of result.warnings) log('warning', warning);
    if (result.changed) fromFiles = compile(result.entries);
  }

  async function readStored(): Promise<void> {
    try {
      const current = await store.listedRevision();
      if (current === revision) return;
      const { entries, warnings } = parseStored(await store.listed());
      for (const warning of warnings) log('warning', warning);
      stored = compile(entries);
      revision = current;
    } catch (error) {
      warn('store', `the whitelist in the database is not followed: ${reasonOf(error)}`, true);
    }
  }

  apply(await files.load());
  await readStored();
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  async function poll(): Promise<void> {
    apply(await files.refresh());
    await readStored();
    follow();
  }
  function follow(): void {
    if (!isClosed) timer = setTimeout(() => void poll(), pollMs).unref();
  }
  follow();

  return {
    match: (subject, now) => inOrder(fromFiles, stored).match(subject, now),
    reload: async () => {
      apply(await files.reload());
    },
    close: () => {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
