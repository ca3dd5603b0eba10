/** What fuzz tests share: how much, how long, and how a failure is told. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import v8 from 'node:v8';
import vm from 'node:vm';

/** So many inputs a test; FUZZ_INPUTS=n for more or fewer. */
export const fuzzInputs = Number(process.env['FUZZ_INPUTS'] ?? 100_000);

const slowMs = 1000;

/**
 * Calls `work` with an input. Fails when it throws an error that `isExpected` does not know, or takes a second: three times in a row,
 * so that a busy machine is not taken for a hang.
 */
export function feed(
  seed: number,
  input: string,
  work: (input: string) => void,
  isExpected: (error: unknown) => boolean,
): void {
  for (let attempt = 1; ; attempt += 1) {
    const beganAt = performance.now();
    try {
      work(input);
    } catch (error) {
      if (!isExpected(error))
        throw new Error(`seed ${seed}, input ${JSON.stringify(input)}`, { cause: error });
    }
    const took = performance.now() - beganAt;
    if (took < slowMs) return;
    assert.ok(attempt < 3, `seed ${seed}: ${took} ms for ${JSON.stringify(input)}`);
  }
}

/** Memory of a process that is not on disk, in bytes (proc(5), VmRSS). */
export function residentBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

/** Like `feed` for many inputs of `make`; fails, too, when what is kept afterwards has grown by more than 64 MiB since the first tenth. */
export function feedMany(
  seed: number,
  make: () => string,
  work: (input: string) => void,
  isExpected: (error: unknown) => boolean = () => false,
): void {
  const warm = Math.ceil(fuzzInputs / 10);
  let before = 0;
  for (let count = 0; count < fuzzInputs; count += 1) {
    if (count === warm) before = keptBytes();
    feed(seed, make(), work, isExpected);
  }
  const grown = keptBytes() - before;
  assert.ok(grown < 64 * 1024 * 1024, `seed ${seed}: ${grown} bytes more are kept`);
}

v8.setFlagsFromString('--expose-gc');
const collectGarbage = vm.runInNewContext('gc') as () => void;

function keptBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
