/** From settings to a running server and, at a signal, to its end. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Values } from '../../config/options.js';
import { settingsOf } from '../../config/resolve.js';
import { parseNetwork } from '../../greylist/address.js';
import { reasonOf } from '../../greylist/failure.js';
import type { Store } from '../../greylist/store.js';
import { counted } from '../../output/format.js';
import { policyCheck } from '../../postfix/snippets.js';
import { createAnswerer, type Answerer } from '../../server/answerer.js';
import { fileLimitWarning } from '../../server/filelimit.js';
import { createAdmission } from '../../server/listen.js';
import { followLists, type Lists } from '../../server/lists.js';
import { createThrottle, type Log, type Warn } from '../../server/log.js';
import { descriptorSink, syslogSink, type LogSink } from '../../server/logsink.js';
import { writePidfile } from '../../server/pidfile.js';
import { startPurger } from '../../server/purger.js';
import { startServer, type PolicyServer } from '../../server/server.js';
import { createSettler } from '../../server/settler.js';
import { claimDatabase } from '../../store/sqlite/claim.js';
import { listFiles } from '../../whitelist/files.js';
import {
  databaseLocation,
  isShared,
  makeDatabaseFolder,
  openServingStore,
  type Process,
} from '../context.js';
import { chosenLists } from '../lists.js';
import { version } from '../version.js';
import { takeIdentity, wantedIdentity } from './identity.js';
import { placesOf } from './places.js';

/** How long clients may take to read their last answers after SIGTERM. With the two below less than 5 s, after which a server counts as hanging. */
const stopGraceMs = 2500;
/** How long a database may take to close; a file system that hangs is not waited for. */
const storeGraceMs = 1000;
/** How long the last lines may take to be read. */
const logGraceMs = 1000;

function sinkFor(values: Values, isBackground: boolean, environment: NodeJS.ProcessEnv): LogSink {
  if (isBackground) return syslogSink(values['syslog-facility'], process.pid);
  return descriptorSink(2, environment['JOURNAL_STREAM'] !== undefined);
}

function tellSystemd(environment: NodeJS.ProcessEnv): void {
  if (environment['NOTIFY_SOCKET']) {
    execFile('systemd-notify', ['--ready', `--pid=${process.pid}`], () => undefined);
  }
}

function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
      process.once(signal, () => {
        resolve(signal);
      });
    }
  });
}

/** What the parts of a server share. */
interface Frame {
  readonly values: Values;
  readonly outside: Process;
  readonly log: Log;
  readonly warn: Warn;
  /** What SIGHUP does. */
  readonly hangup: { react: () => void };
}

/** Opens the sockets. Clients may connect from then on; they are answered once `answerer` is there. */
function openSockets(
  { values, outside, log, warn }: Frame,
  answerer: Promise<Answerer>,
): Promise<PolicyServer> {
  let ready: Answerer | undefined;
  void answerer.then((made) => {
    ready = made;
  });
  const options = {
    places: placesOf(values, outside),
    backlog: values['listen-queue-size'],
    maxConnections: values['max-connections'],
    admits: createAdmission(values.allow.flatMap((text) => parseNetwork(text) ?? [])),
    answer: (request: Parameters<Answerer>[0]) =>
      ready ? ready(request) : answerer.then((made) => made(request)),
    closeAfterAnswer: values.exim,
    isVerbose: values.verbose,
  };
  return startServer(options, log, warn);
}

async function answererFor(
  { values, outside, log, warn }: Frame,
  store: Store,
  lists: Lists,
): Promise<Answerer> {
  const settings = settingsOf(values);
  const texts = {
    greylistAction: values['greylist-action'],
    greylistText: values['greylist-text'],
    header: values['x-greylist-header'],
    hostname: values.hostname,
    version: version(),
  };
  const options = {
    settings,
    texts,
    greylistAuthenticated: values['greylist-authenticated'],
    dryRun: values['dry-run'],
    // The list of public suffixes is large: only who needs it loads it.
    ...(settings.clientKey === 'domain' && {
      domainOf: (await import('../../names/domain.js')).registrableDomain,
    }),
  };
  return createAnswerer(options, {
    settler: createSettler(store, warn, values['store-timeout'] * 1000),
    match: (attempt, time) => lists.match(attempt, time),
    log,
    warn,
    now: outside.now,
  });
}

/** Says on standard error, also of a server in the background, what is ready and where. */
function announce(frame: Frame, notes: readonly string[], server: PolicyServer, isBackground: boolean): void {
  const { values, outside, log } = frame;
  const lines = [
    ...notes,
    `greyctl ${version()}: the database is ${databaseLocation(values, outside)}`,
    ...(values['dry-run'] ? ['dry run: decides, learns and logs, but lets everything pass'] : []),
    `in main.cf, at the end of smtpd_recipient_restrictions: ${policyCheck(server.names[0] ?? '', 'plain')}`,
    ...server.names.map((name) => `listening on ${name}`),
  ];
  for (const line of lines) {
    log('notice', line);
    if (isBackground) outside.stderr.write(`${line}\n`);
  }
  tellSystemd(outside.environment);
  // The parent may have gone; then nobody waits for this.
  process.send?.('ready', () => undefined);
}

/** Makes sure that no other server uses the same file; a shared database has at most a file for outages. */
function claim(values: Values, outside: Process): () => void {
  const file = isShared(values) ? values['db-fallback'] : makeDatabaseFolder(values, outside);
  return values.share || file === undefined ? () => undefined : claimDatabase(path.resolve(file));
}

/** Opens the database and what follows it, serves until a signal, and closes all of it. */
async function work(
  frame: Frame,
  server: PolicyServer,
  begin: (answerer: Answerer) => void,
  isBackground: boolean,
): Promise<void> {
  const { values, outside, log, warn, hangup } = frame;
  const stopped = stopSignal();
  const giveBack = claim(values, outside);
  const store = await openServingStore(values, outside, {
    away: (reason) => {
      warn('store', `greylisting goes by ${values['db-fallback'] ?? ''} for now: ${reason}`);
    },
    back: (entries) => {
      log(
        'notice',
        `the database is back; merged ${counted(entries, 'entry', 'entries')} of ${values['db-fallback'] ?? ''} into it`,
      );
    },
  });
  const fewFiles = await fileLimitWarning(values['max-connections']);
  if (fewFiles !== undefined) log('warning', fewFiles);
  // What it needs to answer quickly is read before the first client waits for it; if that fails, the first batch tells.
  await store.settle([]).catch(() => undefined);
  const { files, notes } = chosenLists(values);
  const lists = await followLists(listFiles(files), store, log, warn);
  const stopPurger = startPurger(store, settingsOf(values), values['stats-age'], outside.now, log, warn);
  begin(await answererFor(frame, store, lists));
  hangup.react = () => {
    log('notice', 'SIGHUP: reading the whitelist files');
    void lists.reload();
  };
  announce(frame, notes, server, isBackground);
  log('notice', `${await stopped}: stopping`);
  await server.stop(stopGraceMs);
  lists.close();
  stopPurger();
  const closed = store.close().catch((error: unknown) => {
    log('warning', reasonOf(error));
  });
  await Promise.race([closed, setTimeout(storeGraceMs, undefined, { ref: false })]);
  giveBack();
}

/** Serves until a signal ends it. Rejects with a Failure when it cannot start, and then holds nothing. */
export async function serve(values: Values, outside: Process, isBackground: boolean): Promise<void> {
  const sink = sinkFor(values, isBackground, outside.environment);
  const log: Log = (severity, line) => {
    if (!(values.quiet && severity === 'info')) sink.log(severity, line);
  };
  const frame: Frame = {
    ...{ values, outside, log, warn: createThrottle(log, outside.now) },
    // Before there are lists, they are about to be read anyway.
    hangup: { react: () => undefined },
  };
  process.on('SIGHUP', () => {
    frame.hangup.react();
  });
  const identity = wantedIdentity(values, outside);
  let begin: (answerer: Answerer) => void = () => undefined;
  const answerer = new Promise<Answerer>((resolve) => (begin = resolve));
  const server = await openSockets(frame, answerer);
  let removePidfile: () => void = () => undefined;
  try {
    if (values.pidfile !== undefined) removePidfile = writePidfile(values.pidfile, process.pid);
    if (identity) takeIdentity(identity, values, outside);
    await work(frame, server, begin, isBackground);
  } finally {
    await server.stop(0);
    removePidfile();
    await sink.flush(logGraceMs);
  }
}
