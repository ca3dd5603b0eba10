import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import type { Values } from '../../config/options.js';
import { Failure, reasonOf } from '../../greylist/failure.js';
import { printable } from '../../greylist/printable.js';
import type { StoreInfo } from '../../greylist/store.js';
import { counted } from '../../output/format.js';
import type { RedisStore } from '../../store/redis/store.js';
import type { SqliteStore } from '../../store/sqlite/client.js';
import { answerIsNo } from '../command.js';
import {
  databaseLocation,
  hasDatabase,
  isShared,
  missingDatabase,
  settingsFor,
  terminalFor,
  type Arguments,
  type Process,
} from '../context.js';
import { withFile } from './file.js';

interface Health {
  readonly problems: readonly string[];
  readonly facts?: StoreInfo;
}

/** What is wrong with an open database, and of a sound one how much it holds. */
async function healthOf(store: SqliteStore | RedisStore): Promise<Health> {
  const { problems } = await store.check();
  return problems.length > 0 ? { problems } : { problems, facts: await store.info() };
}

function asProblem(error: unknown): Health {
  if (error instanceof Failure) return { problems: [error.message] };
  throw error;
}

/** Of a file: every page and index of it. */
async function fileHealth(values: Values, outside: Process): Promise<Health> {
  if (!hasDatabase(values, outside)) throw missingDatabase(values, outside);
  const location = databaseLocation(values, outside);
  await access(location, constants.R_OK | constants.W_OK).catch((error: unknown) => {
    throw new Failure(`cannot check the database ${location}: ${reasonOf(error)}`, { cause: error });
  });
  // Whose file it is, and of which version, is looked at when it is opened.
  return withFile(values, outside, healthOf).catch(asProblem);
}

/** Of a server: that every value can be read, and that the server is set so that none is lost. */
async function serverHealth(values: Values, outside: Process): Promise<Health> {
  const { openSharedStore } = await import('../shared.js');
  const store = await openSharedStore(values, outside, false);
  try {
    return await healthOf(store).catch(asProblem);
  } finally {
    await store.close();
  }
}

/** `greyctl db check`: status 3 when anything is wrong with the database; a file that cannot be reached is status 1. */
export async function check(argv: Arguments, outside: Process): Promise<number> {
  const { values } = settingsFor(argv, outside);
  const location = databaseLocation(values, outside);
  const health = isShared(values) ? await serverHealth(values, outside) : await fileHealth(values, outside);
  const { problems, facts } = health;
  const isHealthy = problems.length === 0;
  const terminal = terminalFor(values, outside);
  if (values.json) {
    await terminal.json({
      location,
      healthy: isHealthy,
      problems,
      schema_version: facts?.schemaVersion ?? null,
      entries: facts ? { waiting: facts.waiting, passed: facts.passed } : null,
      awl_clients: facts?.clients ?? null,
      whitelist_entries: facts?.listed ?? null,
    });
  } else if (facts) {
    const what = [
      `schema version ${facts.schemaVersion}`,
      counted(facts.waiting + facts.passed, 'entry', 'entries'),
      counted(facts.clients, 'AWL record', 'AWL records'),
      counted(facts.listed, 'whitelist entry', 'whitelist entries'),
    ].join(', ');
    await terminal.line(`${printable(location)} is healthy: ${what}`);
  } else {
    await terminal.line(`${printable(location)} is not healthy:`);
    for (const problem of problems) await terminal.line(`  ${printable(problem)}`);
  }
  return isHealthy ? 0 : answerIsNo;
}
