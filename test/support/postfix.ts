/**
 * Debian's Postfix as an instance of its own: configuration, queue, log and mailbox in a temporary folder, one smtpd on a
 * free port of 127.0.0.1 that takes mail for example.org from anywhere and believes XCLIENT. The system's
 * /etc/postfix is neither read nor changed, and no DNS is asked.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { start, type Background } from './background.js';
import { freePort } from './free-port.js';
import { find } from './programs.js';
import { smtp } from './smtp-client.js';

export interface PostfixSettings {
  /** The value of smtpd_recipient_restrictions. */
  readonly recipientRestrictions: string;
  /** More main.cf parameters. */
  readonly extra?: Readonly<Record<string, string>>;
}

export interface Postfix {
  readonly port: number;
  /** The folder of main.cf and master.cf, for MAIL_CONFIG. */
  readonly configFolder: string;
  /** The mail log so far. */
  log(): string;
  /** Waits until the mail log matches. */
  expectLog(pattern: RegExp): Promise<RegExpExecArray>;
  /** The delivered messages, in no order. */
  messages(): string[];
  /** Waits until so many messages are delivered. */
  expectMessages(count: number): Promise<string[]>;
  /** Fails with what `postfix check` and `postconf` find wrong. */
  check(): Promise<void>;
  /** Ends Postfix and starts it with other settings, on the same port, queue and mailbox. */
  reconfigure(settings: PostfixSettings): Promise<void>;
  /** Ends Postfix and removes all it wrote. */
  stop(): Promise<void>;
}

function numericId(kind: '-u' | '-g', user: string): number {
  return Number(execFileSync('id', [kind, user], { encoding: 'utf8' }));
}

function daemonFolder(): string {
  const postconf = path.join(path.dirname(find('postfix') ?? ''), 'postconf');
  return execFileSync(postconf, ['-dh', 'daemon_directory'], { encoding: 'utf8' }).trim();
}

function mainCf(folder: string, settings: PostfixSettings): string {
  const parameters: Record<string, string> = {
    compatibility_level: '3.6',
    queue_directory: `${folder}/queue`,
    data_directory: `${folder}/data`,
    maillog_file: `${folder}/mail.log`,
    maillog_file_prefixes: folder,
    myhostname: 'mx.example.org',
    mydestination: '',
    mynetworks: '192.0.2.250/32',
    inet_protocols: 'all',
    alias_maps: '',
    virtual_mailbox_domains: 'example.org',
    virtual_mailbox_base: folder,
    virtual_mailbox_maps: 'static:mailbox/',
    virtual_uid_maps: `static:${numericId('-u', 'nobody')}`,
    virtual_gid_maps: `static:${numericId('-g', 'nobody')}`,
    smtpd_authorized_xclient_hosts: '127.0.0.1',
    smtpd_peername_lookup: 'no',
    smtp_dns_support_level: 'disabled',
    smtpd_error_sleep_time: '0',
    smtpd_soft_error_limit: '1000',
    smtpd_hard_error_limit: '1000',
    smtpd_policy_service_retry_delay: '1s',
    in_flow_delay: '0',
    ...settings.extra,
    smtpd_recipient_restrictions: settings.recipientRestrictions,
  };
  return Object.entries(parameters)
    .map(([name, value]) => `${name} = ${value}\n`)
    .join('');
}

function masterCf(port: number): string {
  return [
    `127.0.0.1:${port} inet n - n - - smtpd`,
    'pickup unix n - n 60 1 pickup',
    'cleanup unix n - n - 0 cleanup',
    'qmgr unix n - n 300 1 qmgr',
    'rewrite unix - - n - - trivial-rewrite',
    'bounce unix - - n - 0 bounce',
    'defer unix - - n - 0 bounce',
    'trace unix - - n - 0 bounce',
    'verify unix - - n - 1 verify',
    'flush unix n - n 1000? 0 flush',
    'proxymap unix - - n - - proxymap',
    'smtp unix - - n - - smtp',
    'showq unix n - n - - showq',
    'error unix - - n - - error',
    'retry unix - - n - - error',
    'discard unix - - n - - discard',
    'local unix - n n - - local',
    'virtual unix - n n - - virtual',
    'anvil unix - - n - 1 anvil',
    'scache unix - - n - 1 scache',
    'postlog unix-dgram n - n - 1 postlogd',
    '',
  ].join('\n');
}

/** The folders Postfix wants to find; those below the queue it makes itself. */
function prepare(folder: string, port: number): void {
  // Its processes run as another user.
  chmodSync(folder, 0o755);
  for (const name of ['config', 'queue', 'data', 'mailbox']) mkdirSync(path.join(folder, name));
  chownSync(path.join(folder, 'data'), numericId('-u', 'postfix'), numericId('-g', 'postfix'));
  chownSync(path.join(folder, 'mailbox'), numericId('-u', 'nobody'), numericId('-g', 'nobody'));
  writeFileSync(path.join(folder, 'config/master.cf'), masterCf(port));
}

function readIfThere(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

async function complaints(command: 'postfix' | 'postconf', args: readonly string[]): Promise<string> {
  const child = start(path.join(path.dirname(find('postfix') ?? ''), command), args);
  const { status } = await child.exited;
  return status === 0 ? child.stderr() : `${command} ended with ${String(status)}: ${child.stderr()}`;
}

async function checkConfiguration(folder: string): Promise<void> {
  const config = path.join(folder, 'config');
  const log = path.join(folder, 'mail.log');
  const before = readIfThere(log).length;
  const found = [
    await complaints('postfix', ['-c', config, 'check']),
    await complaints('postconf', ['-c', config, '-n']),
    // Where standard error is no terminal, `postfix check` writes to the log instead.
    ...(readIfThere(log)
      .slice(before)
      .match(/^.*postfix-script.*(?:warning|error|fatal): .*$/gm) ?? []),
  ].flatMap((text) => text.split('\n').filter((line) => line !== '' && !line.includes('disabling IPv6')));
  if (found.length > 0) throw new Error(found.join('\n'));
}

/** What `postfix check` and `postconf` say of a main.cf that ends with `snippet`; rejects when they find anything wrong. */
export async function checkSnippet(snippet: string): Promise<void> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'greyctl-postfix-'));
  try {
    prepare(folder, 25);
    const base = mainCf(folder, { recipientRestrictions: '' }).replace(
      /^smtpd_recipient_restrictions.*\n/m,
      '',
    );
    writeFileSync(path.join(folder, 'config/main.cf'), `${base}${snippet}`);
    await checkConfiguration(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function launch(folder: string, port: number): Promise<Background> {
  await checkConfiguration(folder);
  // Not by `postfix start-fg`: its shell would get the signals in place of the master.
  const child = start(path.join(daemonFolder(), 'master'), ['-c', path.join(folder, 'config'), '-s']);
  const greets = async () => {
    try {
      const client = await smtp(port);
      await client.quit();
      return true;
    } catch {
      return undefined;
    }
  };
  try {
    await child.until(greets, 'greeting from Postfix');
    return child;
  } catch (error) {
    await child.kill();
    throw new Error(`${String(error)}\n${readIfThere(path.join(folder, 'mail.log'))}`, { cause: error });
  }
}

/** Starts Postfix and waits until it greets; the caller stops it. Needs root. */
export async function postfix(settings: PostfixSettings): Promise<Postfix> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'greyctl-postfix-'));
  const port = await freePort();
  const configure = (wanted: PostfixSettings) => {
    writeFileSync(path.join(folder, 'config/main.cf'), mainCf(folder, wanted));
  };
  prepare(folder, port);
  configure(settings);
  let master = await launch(folder, port);

  const log = () => readIfThere(path.join(folder, 'mail.log'));
  const mailbox = path.join(folder, 'mailbox/new');
  const messages = () =>
    (existsSync(mailbox) ? readdirSync(mailbox) : []).map((name) => readIfThere(path.join(mailbox, name)));
  const orLog = async <T>(pending: Promise<T>) =>
    pending.catch((error: unknown) => {
      throw new Error(`${String(error)}\n${log()}`, { cause: error });
    });
  return {
    port,
    configFolder: path.join(folder, 'config'),
    log,
    expectLog: (pattern) =>
      orLog(master.until(() => pattern.exec(log()) ?? undefined, `${String(pattern)} in the mail log`)),
    messages,
    expectMessages: (count) =>
      orLog(
        master.until(() => {
          const found = messages();
          return found.length >= count ? found : undefined;
        }, `${count} delivered messages`),
      ),
    check: () => checkConfiguration(folder),
    async reconfigure(wanted) {
      await master.stop();
      configure(wanted);
      master = await launch(folder, port);
    },
    async stop() {
      await master.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
