import { spawn, spawnSync, execFile } from 'node:child_process';
import { chownSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Argv } from 'yargs';
import { parseEndpoint } from '../../config/endpoint.js';
import type { Values } from '../../config/options.js';
import { settingsOf } from '../../config/resolve.js';
import { parseNetwork } from '../../greylist/address.js';
import { Failure, reasonOf } from '../../greylist/failure.js';
import { registrableDomain } from '../../names/domain.js';
import { policyCheck } from '../../postfix/snippets.js';
import { createAnswerer, type Answerer } from '../../server/answerer.js';
import { createAdmission, isLoopback, systemdSockets, type Listen } from '../../server/listen.js';
import { followLists } from '../../server/lists.js';
import { createThrottle } from '../../server/log.js';
import { descriptorSink, syslogSink, type LogSink } from '../../server/logsink.js';
import { writePidfile } from '../../server/pidfile.js';
import { dropPrivileges, identityOf } from '../../server/privileges.js';
import { startPurger } from '../../server/purger.js';
import { startServer, type PolicyServer } from '../../server/server.js';
import { createSettler } from '../../server/settler.js';
import { listFiles } from '../../whitelist/files.js';
import { declareSettings } from '../arguments.js';
import { makeDatabaseFolder, openStore, settingsFor, type Arguments, type Process } from '../context.js';
import { chosenLists } from '../lists.js';
import { version } from '../version.js';

/** How long clients may take to read their last answers after SIGTERM. */
const stopGraceMs = 4000;
const backgroundFlag = 'in-background';

function checkedPlaces(values: Values): Listen[] {
  const inet = values.inet.length + values.unix.length === 0 ? ['127.0.0.1:60000'] : values.inet;
  const places: Listen[] = inet.flatMap((text) => {
    const endpoint = parseEndpoint(text);
    return endpoint ? [{ type: 'inet', ...endpoint }] : [];
  });
  return [...places, ...values.unix.map((path): Listen => ({ type: 'unix', path, mode: values.socketmode }))];
}

/** Where to listen: what systemd handed over, and what the settings name. */
function placesOf(values: Values, outside: Process): Listen[] {
  const handedOver = systemdSockets(outside.environment, process.pid);
  if (handedOver.length > 0 && values.inet.length + values.unix.length === 0) return handedOver;
  const places = checkedPlaces(values);
  for (const place of places) {
    if (place.type === 'inet' && !isLoopback(place.host) && values.allow.length === 0) {
      throw new Failure(
        `will not listen on ${place.host}:${place.port}: anybody who reaches it could ask and fill the database`,
        {
          kind: 'usage',
          hint: '--allow=CIDR says who may connect, e.g. --allow=192.0.2.0/24',
        },
      );
    }
  }
  return [...handedOver, ...places];
}

/** Puts the server into the background: a new session without a terminal. Resolves to the exit status once it is ready, or has failed. */
function daemonize(outside: Process): Promise<number> {
  const [script = '', ...args] = process.argv.slice(1);
  const child = spawn(process.execPath, [...process.execArgv, script, ...args, `--${backgroundFlag}`], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  child.stderr?.pipe(outside.stderr, { end: false });
  return new Promise((resolve) => {
    child.once('message', () => {
      child.disconnect();
      child.stderr?.destroy();
      child.unref();
      resolve(0);
    });
    child.once('exit', (code) => {
      resolve(code ?? 1);
    });
  });
}

function takeIdentity(values: Values, names: readonly string[], outside: Process): void {
  if (values.user === undefined) {
    if (values.group !== undefined) throw new Failure('--group needs --user', { kind: 'usage' });
    return;
  }
  const identity = identityOf(values.user, values.group);
  if (identity.uid === outside.userId) return;
  if (outside.userId !== 0) throw new Failure(`only root can run the server as ${values.user}`);
  for (const name of names) {
    if (name.startsWith('unix:')) chownSync(name.slice('unix:'.length), identity.uid, identity.gid);
  }
  dropPrivileges(identity, process);
}

/** The folder of the default database belongs to the user that the server runs as. */
function prepareFolder(values: Values, outside: Process): string {
  const location = makeDatabaseFolder(values, outside);
  const isDefault = values.db === undefined && values.dbdir === undefined;
  if (isDefault && values.user !== undefined && outside.userId === 0) {
    const identity = identityOf(values.user, values.group);
    chownSync(location.slice(0, location.lastIndexOf('/')), identity.uid, identity.gid);
  }
  return location;
}

function sinkFor(values: Values, isBackground: boolean, environment: NodeJS.ProcessEnv): LogSink {
  if (isBackground) return syslogSink(values['syslog-facility'], process.pid);
  return descriptorSink(2, environment['JOURNAL_STREAM'] !== undefined);
}

function tellSystemd(environment: NodeJS.ProcessEnv): void {
  if (environment['NOTIFY_SOCKET'])
    execFile('systemd-notify', ['--ready', `--pid=${process.pid}`], () => undefined);
}

/** Resolves at the first signal to stop; a second one ends the process at once. */
function stopSignal(onHangup: () => void): Promise<NodeJS.Signals> {
  process.on('SIGHUP', onHangup);
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
      process.once(signal, () => {
        resolve(signal);
      });
    }
  });
}

async function serve(values: Values, outside: Process, isBackground: boolean): Promise<number> {
  const { now } = outside;
  const sink = sinkFor(values, isBackground, outside.environment);
  const isQuiet = values.quiet;
  const log: LogSink['log'] = (severity, line) => {
    if (!(isQuiet && severity === 'info')) sink.log(severity, line);
  };
  const warn = createThrottle(log, now);
  const location = prepareFolder(values, outside);

  // Clients may connect as soon as the sockets are there; they are answered once everything else is, too.
  let begin: (answerer: Answerer) => void = () => undefined;
  const ready = new Promise<Answerer>((resolve) => (begin = resolve));
  const server: PolicyServer = await startServer(
    {
      places: placesOf(values, outside),
      backlog: values['listen-queue-size'],
      maxConnections: values['max-connections'],
      admits: createAdmission(values.allow.flatMap((text) => parseNetwork(text) ?? [])),
      answer: async (request) => (await ready)(request),
      closeAfterAnswer: values.exim,
      isVerbose: values.verbose,
    },
    log,
    warn,
  );
  const removePidfile =
    values.pidfile === undefined ? () => undefined : writePidfile(values.pidfile, process.pid);
  takeIdentity(values, server.names, outside);

  const settings = settingsOf(values);
  const store = await openStore(values, outside);
  const chosen = chosenLists(values);
  const lists = await followLists(listFiles(chosen.files), store, log, warn);
  const stopPurger = startPurger(store, settings, now, log, warn);
  const answerer = createAnswerer(
    {
      settings,
      texts: {
        greylistAction: values['greylist-action'],
        greylistText: values['greylist-text'],
        header: values['x-greylist-header'],
        hostname: values.hostname,
        version: version(),
      },
      greylistAuthenticated: values['greylist-authenticated'],
      dryRun: values['dry-run'],
      ...(settings.clientKey === 'domain' && { domainOf: registrableDomain }),
    },
    {
      settler: createSettler(store, warn),
      match: (attempt, time) => lists.match(attempt, time),
      log,
      warn,
      now,
    },
  );
  begin(answerer);

  const stopped = stopSignal(() => {
    log('notice', 'SIGHUP: reading the whitelist files');
    void lists.reload();
  });
  const announce = (line: string) => {
    sink.log('notice', line);
    if (isBackground) outside.stderr.write(`${line}\n`);
  };
  for (const note of chosen.notes) announce(note);
  announce(`greyctl ${version()}: the database is ${location}`);
  if (values['dry-run']) announce('dry run: decides, learns and logs, but lets everything pass');
  announce(
    `in main.cf, at the end of smtpd_recipient_restrictions: ${policyCheck(server.names[0] ?? '', 'plain')}`,
  );
  for (const name of server.names) announce(`listening on ${name}`);
  tellSystemd(outside.environment);
  process.send?.('ready');

  const signal = await stopped;
  log('notice', `${signal}: stopping`);
  await server.stop(stopGraceMs);
  lists.close();
  stopPurger();
  await store.close().catch((error: unknown) => {
    log('warning', reasonOf(error));
  });
  removePidfile();
  await sink.flush(1000);
  return 0;
}

/** `greyctl serve`: all of postgrey's switches. */
export function declare(yargs: Argv): Argv {
  return declareSettings(yargs.usage('$0 serve [OPTION…]'), ['server', 'decision'])
    .option('man', { type: 'boolean', describe: 'show the manual', hidden: true })
    .option(backgroundFlag, { type: 'boolean', hidden: true })
    .example('$0 serve --inet=127.0.0.1:60000 --delay=60 --max-age=10', 'as in many tutorials for postgrey')
    .example(
      '$0 serve --unix=/var/spool/postfix/private/greyctl --user=postfix',
      'on a unix socket in Postfix’s chroot',
    );
}

/** Serves until a signal ends it. */
export async function run(argv: Arguments, outside: Process): Promise<number> {
  if (argv['man'] === true) {
    const page = fileURLToPath(new URL('../../../man/greyctl.8', import.meta.url));
    return spawnSync('man', [page], { stdio: 'inherit' }).status ?? 1;
  }
  const { values } = settingsFor(argv, outside);
  const isBackground = argv[backgroundFlag] === true;
  if (values.daemonize && !isBackground) return daemonize(outside);
  const status = await serve(values, outside, isBackground);
  // What still holds the process (a client’s half-open socket, a worker of the thread pool) must not.
  process.exit(status);
}
