import { size } from '../../output/format.js';
import { Failure } from '../../greylist/failure.js';
import {
  databaseLocation,
  isShared,
  settingsFor,
  terminalFor,
  type Arguments,
  type Process,
} from '../context.js';
import { untilDone } from './batches.js';
import { withFile } from './file.js';

/** 2 MiB of the usual pages: a server waits a few milliseconds at most. */
const pagesAtATime = 500;

/** `greyctl db vacuum`: gives unused room back in small steps. */
export async function vacuum(argv: Arguments, outside: Process): Promise<undefined> {
  const { values } = settingsFor(argv, outside);
  if (isShared(values))
    throw new Failure(
      `cannot vacuum ${databaseLocation(values, outside)}: Redis gives memory back by itself`,
      {
        kind: 'usage',
        hint: 'redis-cli memory purge',
      },
    );
  const { before, after } = await withFile(values, outside, async (store) => {
    const start = await store.vacuum(0);
    let last = start;
    await untilDone(async () => {
      const unused = last.unusedPages;
      if (unused > 0) last = await store.vacuum(pagesAtATime);
      return { isDone: last.unusedPages === 0 || last.unusedPages >= unused, hasWritten: true };
    });
    return { before: start.sizeBytes, after: last.sizeBytes };
  });
  const terminal = terminalFor(values, outside);
  if (values.json) await terminal.json({ size_bytes_before: before, size_bytes: after });
  else await terminal.line(`${size(before)} before, ${size(after)} now`);
  return undefined;
}
