/**
 * postgrey's Berkeley DB files, read without touching them: files and transaction logs are copied, the copy is recovered from the
 * logs (Berkeley DB's own way to back up a database in use, databases first), and what db_dump prints of it is read. What a running or killed
 * postgrey had not yet written into its files is in the logs.
 */
import { spawn } from 'node:child_process';
import { copyFile, mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { codeOf, Failure, reasonOf } from '../../greylist/failure.js';
import { createDumpParser, type DumpRecord } from '../../transfer/dump.js';

type Take = (record: DumpRecord) => void;

const missingProgram = 'apt-get install db-util, or give a dump made elsewhere with --dump=FILE';

async function readLines(input: Readable, name: string, take: Take): Promise<void> {
  const parser = createDumpParser(name);
  // One character a byte: the parser puts the bytes of a character together.
  input.setEncoding('latin1');
  for await (const line of createInterface({ input, crlfDelay: Infinity })) {
    const record = parser.line(line);
    if (record) take(record);
  }
  parser.end();
}

/** Runs a program of Berkeley DB to its end; `read` gets what it prints. Rejects with a Failure. */
async function perform(
  program: string,
  args: readonly string[],
  read?: (output: Readable) => Promise<void>,
): Promise<void> {
  const child = spawn(program, args, { stdio: ['ignore', read ? 'pipe' : 'ignore', 'pipe'] });
  let complaint = '';
  child.stderr?.on('data', (text: Buffer) => (complaint += text.toString('utf8')));
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      resolve(code ?? 1);
    });
  });
  const reading = Promise.allSettled([child.stdout && read ? read(child.stdout) : undefined]);
  const status = await ended.catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT')
      throw new Failure(`cannot read Berkeley DB files: there is no program ${program}`, {
        hint: missingProgram,
        cause: error,
      });
    throw new Failure(`cannot start ${program}: ${reasonOf(error)}`, { cause: error });
  });
  // The program's own words go before what its output lacks then.
  if (status !== 0) throw new Failure(`${program} failed: ${complaint.trim() || `status ${status}`}`);
  const [outcome] = await reading;
  if (outcome.status === 'rejected') throw outcome.reason;
}

async function copyInto(folder: string, from: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await copyFile(path.join(from, name), path.join(folder, name)).catch((error: unknown) => {
      throw new Failure(`cannot read ${path.join(from, name)}: ${reasonOf(error)}`, { cause: error });
    });
  }
}

/** Every record of the databases `take` names that are in the folder `from`; rejects with a Failure. */
export async function readBerkeley(from: string, take: Readonly<Record<string, Take>>): Promise<void> {
  const names = await readdir(from).catch((error: unknown) => {
    throw new Failure(`cannot read the folder ${from}: ${reasonOf(error)}`, { cause: error });
  });
  const wanted = Object.keys(take).filter((name) => names.includes(name));
  const folder = await mkdtemp(path.join(tmpdir(), 'greyctl-import-'));
  try {
    await copyInto(folder, from, wanted);
    const logs = (await readdir(from)).filter((name) => /^log\.\d{10}$/.test(name));
    await copyInto(folder, from, logs);
    if (logs.length > 0) await perform('db_recover', ['-c', '-h', folder]);
    for (const name of wanted) {
      const lines = (output: Readable) =>
        readLines(output, path.join(from, name), take[name] ?? (() => undefined));
      await perform('db_dump', [path.join(folder, name)], lines);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Every record of a saved dump; rejects with a Failure. */
export async function readDump(file: string, take: Take): Promise<void> {
  try {
    const handle = await open(file);
    await readLines(handle.createReadStream(), file, take);
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(`cannot read the dump ${file}: ${reasonOf(error)}`, { cause: error });
  }
}
