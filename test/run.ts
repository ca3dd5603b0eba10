/**
 * Runs the compiled tests below build/test: `node build/test/run.js [FOLDER|FILE…]` (default: all but bench and soak).
 * Ends with the names of the skipped tests and one line `N passed, N failed, N skipped`.
 * With REQUIRE_ALL=1 a skipped test is a failure.
 */
import { existsSync, readdirSync } from 'node:fs';
import type { Readable } from 'node:stream';
import path from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

const here = import.meta.dirname;
const wanted = process.argv.slice(2);
const folders = ['unit', 'contract', 'server', 'cli', 'system'];
/** Long ones, run only when named. */
const soak = 'soak';

const files = [...folders, ...(wanted.includes(soak) ? [soak] : [])]
  .filter((folder) => existsSync(path.join(here, folder)))
  .flatMap((folder) =>
    readdirSync(path.join(here, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
      path.join(folder, name),
    ),
  )
  .filter(
    (name) =>
      name.endsWith('.test.js') && (wanted.length === 0 || wanted.some((word) => name.includes(word))),
  )
  .map((name) => path.join(here, name));

const skipped: string[] = [];
let passed = 0;
let failed = 0;

/** Of one file, on a machine that has other things to do as well. */
const timeout = (wanted.includes(soak) ? 45 : 15) * 60_000;
const stream = run({ files, concurrency: 2, timeout });
stream.on('test:pass', (event) => {
  if (event.details.type === 'suite') return;
  if (event.skip !== undefined) skipped.push(`${event.name}: ${String(event.skip)}`);
  else passed += 1;
});
stream.on('test:fail', (event) => {
  if (event.details.type !== 'suite') failed += 1;
  process.exitCode = 1;
});

function summary(): string {
  const names = skipped.map((line) => `  ${line}\n`).join('');
  return `${names && `\nSkipped:\n${names}`}${passed} passed, ${failed} failed, ${skipped.length} skipped\n`;
}

// node:test types the composed stream as any.
const report = stream.compose(new spec()) as Readable;
report.pipe(process.stdout, { end: false });
report.on('end', () => {
  process.stdout.write(summary());
  if (passed + failed === 0 || (process.env['REQUIRE_ALL'] === '1' && skipped.length > 0))
    process.exitCode = 1;
});
