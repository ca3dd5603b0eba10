/**
 * Thirty simulated days of a real server under libfaketime: mail, retries, whitelist edits, purges, backups and restarts. What `stats`,
 * the database and the log count must be what was counted here, by a model of the rules that shares no code with greyctl.
 * SOAK_ATTEMPTS=n: so many attempts (default 2,000,000). SEED=n repeats a run.
 */
import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { environment, start, type Background } from '../support/background.js';
import { eventually } from '../support/deadline.js';
import { fakeClock, type FakeClock } from '../support/fake-clock.js';
import { freePort } from '../support/free-port.js';
import { repositoryRoot, run } from '../support/greyctl.js';
import { connect, request, type PolicyClient } from '../support/policy-client.js';
import { needs } from '../support/programs.js';
import { random } from '../support/random.js';
import { temporaryFolder } from '../support/temporary.js';

const attempts = Number(process.env['SOAK_ATTEMPTS'] ?? 2_000_000);
const days = 30;
/** Two moments an hour: a retry at the second is early, at the next hour it is not. */
const ticks = days * 48;
const secondTickAfter = 200;
const delay = 300;
const retryWindow = 2 * 86_400;
const maxAge = 10 * 86_400;
const settings = ['--delay=300', '--retry-window=2', '--max-age=10', '--auto-whitelist-clients=0'];
/** What is counted here must not depend on how busy the machine is. */
const patience = '--store-timeout=60';
const beganAt = Date.UTC(2026, 9, 1) / 1000;
const connections = 16;

/** What is asked; numbers stand for addresses. */
interface Mail {
  readonly network: number;
  readonly sender: number;
}

type Verdict = 'pass' | 'greylist';

/** The rules, once more: `ask` says what must be answered and counts it. */
function model() {
  const known = new Map<number, { first: number; last: number; passed: boolean }>();
  const counts = new Map<string, number>();
  const count = (verdict: Verdict, reason: string): Verdict => {
    const key = `${verdict}: ${reason}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
    return verdict;
  };
  const isAlive = (entry: { first: number; last: number; passed: boolean }, now: number) =>
    entry.passed ? now - entry.last <= maxAge : now - entry.first <= retryWindow;
  return {
    counts,
    count,
    ask: ({ sender }: Mail, now: number): Verdict => {
      const entry = known.get(sender);
      if (!entry || !isAlive(entry, now)) {
        known.set(sender, { first: now, last: now, passed: false });
        return count('greylist', 'new');
      }
      entry.last = now;
      if (!entry.passed && now - entry.first < delay) return count('greylist', 'early-retry');
      entry.passed = true;
      return count('pass', 'triplet found');
    },
    alive: (now: number) => {
      const all = [...known.values()].filter((entry) => isAlive(entry, now));
      const passed = all.filter((entry) => entry.passed).length;
      return { waiting: all.length - passed, passed };
    },
  };
}

/** Neither digits, which are folded, nor capitals. */
function lettersOf(number: number): string {
  return number.toString(16).replace(/./g, (digit) => 'ghijklmnopqrstuv'[Number.parseInt(digit, 16)] ?? '');
}

function asked({ network, sender }: Mail) {
  return request({
    client_address: `10.${network >> 8}.${network & 255}.7`,
    client_name: `mx.n${network}.example.net`,
    sender: `${lettersOf(sender)}@example.com`,
    instance: undefined,
  });
}

/** A server whose log goes to a file, as it would be too much to keep here. */
async function startLogged(port: number, folder: string, clock: FakeClock): Promise<Background> {
  const server = start(
    'sh',
    [
      ...[
        '-c',
        'exec "$0" "$@" 2>>"$LOG_FILE"',
        process.execPath,
        `${repositoryRoot}/bin/greyctl.js`,
        'serve',
      ],
      ...[
        `--inet=127.0.0.1:${port}`,
        `--db=${folder}/greyctl.db`,
        '--stats-age=365',
        '--max-waiting=9999999',
      ],
      ...[
        ...settings,
        patience,
        '--max-waiting-per-client=9999999',
        `--whitelist-clients=${folder}/none.local`,
      ],
    ],
    { env: environment({ ...clock.env, LOG_FILE: `${folder}/log` }) },
  );
  await server.until(async () => {
    const client = await connect(`inet:127.0.0.1:${port}`).catch(() => undefined);
    client?.close();
    return client && true;
  }, 'server');
  return server;
}

/** What the log counts, in the words of the model, and lines that tell of trouble. */
async function countLog(file: string): Promise<{ counts: Map<string, number>; troubles: string[] }> {
  const counts = new Map<string, number>();
  const troubles: string[] = [];
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const [, verdict, reason] =
      /^action=(\w+), reason=([\w -]+?)(?: \(\d+s missing\))?(?:,|$)/.exec(line) ?? [];
    if (verdict === undefined || reason === undefined) {
      if (/lost|suspended|cannot|closed the/.test(line)) troubles.push(line);
      continue;
    }
    const key = `${verdict}: ${reason}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return { counts, troubles };
}

class LongRun {
  readonly #t: TestContext;
  readonly #folder: string;
  readonly #port: number;
  readonly #clock: FakeClock;
  readonly #source = random();
  readonly model = model();
  #server: Background | undefined;
  #clients: PolicyClient[] = [];
  #lastSender = 0;
  /** Probes for whitelist edits have numbers of their own. */
  #lastProbe = 1e12;
  readonly #restarts = { count: 0 };

  constructor(t: TestContext, folder: string, port: number, clock: FakeClock) {
    [this.#t, this.#folder, this.#port, this.#clock] = [t, folder, port, clock];
  }

  get seed(): number {
    return this.#source.seed;
  }

  async restart(): Promise<void> {
    for (const client of this.#clients) client.close();
    if (this.#server) assert.equal((await this.#server.stop()).status, 0);
    const server = await startLogged(this.#port, this.#folder, this.#clock);
    this.#server = server;
    this.#t.after(() => server.kill());
    this.#clients = await Promise.all(
      Array.from({ length: connections }, () => connect(`inet:127.0.0.1:${this.#port}`, 30_000)),
    );
    this.#restarts.count += 1;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    assert.equal((await this.#server?.stop())?.status, 0);
  }

  command(...args: string[]) {
    return run([...args, ...(args[1] === 'purge' ? settings : []), `--db=${this.#folder}/greyctl.db`], {
      clock: this.#clock,
    });
  }

  /** Half are strangers, a third come back after a while, the others are regular correspondents. */
  #next(): Mail {
    const { pick } = this.#source;
    const kind = pick(6);
    let sender: number;
    if (kind < 3) sender = this.#lastSender += 1;
    else if (kind < 5) sender = Math.max(1, this.#lastSender - pick(Math.ceil(attempts / days / 4) + 1));
    else sender = -1 - pick(2000);
    return { network: (sender * 7919) & 0xfff, sender: Math.abs(sender) + (sender < 0 ? 1e10 : 0) };
  }

  async #ask(client: PolicyClient, mail: Mail, expected: Verdict): Promise<void> {
    const answer = await client.ask(asked(mail));
    const verdict = answer.startsWith('DEFER') ? 'greylist' : 'pass';
    assert.equal(
      verdict,
      expected,
      `seed ${this.seed}: ${JSON.stringify(mail)} at ${this.#clock.now()}: ${answer}`,
    );
  }

  async mail(count: number): Promise<void> {
    const now = this.#clock.now();
    // All at a moment: whichever of two attempts of one triplet comes first, both have the verdict.
    const sent = this.#clients.flatMap((client, index) =>
      Array.from({ length: Math.floor((count + index) / connections) }, () => {
        const mail = this.#next();
        return this.#ask(client, mail, this.model.ask(mail, now));
      }),
    );
    await Promise.all(sent);
  }

  /** Adds or removes an entry and asks until it is in force. */
  async edit(verb: 'add' | 'remove', pattern: string, network: number): Promise<void> {
    assert.equal((await this.command('whitelist', verb, pattern)).status, 0);
    await eventually(async () => {
      const mail = { network, sender: (this.#lastProbe += 1) };
      const answer = await this.#clients[0]?.ask(asked(mail));
      const isListed = answer === 'DUNNO';
      if (isListed) this.model.count('pass', 'client whitelist');
      else this.model.ask(mail, this.#clock.now());
      return isListed === (verb === 'add') ? true : undefined;
    }, `${verb} in force`);
  }

  /** What an operator does in a day, while mail comes. */
  async chores(day: number): Promise<void> {
    const pattern = `n${5000 + day}.example.net`;
    await this.edit('add', pattern, 5000 + day);
    if (day % 2 === 1) await this.edit('remove', pattern, 5000 + day);
    if (day % 5 === 2) assert.equal((await this.command('db', 'purge', '--yes')).status, 0);
    if (day % 7 === 3) {
      const file = `${this.#folder}/backup${day}`;
      assert.equal((await this.command('db', 'backup', file)).status, 0);
      assert.equal((await run(['db', 'check', `--db=${file}`])).status, 0);
    }
  }
}

test(
  `in ${days} days with ${attempts} attempts stats, database and log count what was sent`,
  needs('faketime'),
  async (t) => {
    const folder = await temporaryFolder(t);
    const clock = fakeClock(beganAt);
    t.after(clock.remove);
    const long = new LongRun(t, folder, await freePort(), clock);
    await long.restart();
    for (let tick = 0; tick < ticks; tick += 1) {
      clock.set(beganAt + Math.floor(tick / 2) * 3600 + (tick % 2) * secondTickAfter);
      const count = Math.floor((attempts * (tick + 1)) / ticks) - Math.floor((attempts * tick) / ticks);
      const isNoon = tick % 48 === 24;
      const day = Math.floor(tick / 48);
      await Promise.all([long.mail(count), isNoon ? long.chores(day) : Promise.resolve()]);
      if (tick % 240 === 239) await long.restart();
    }
    await long.stop();
    const { counts } = long.model;
    const expected = Object.fromEntries([...counts].sort());
    const about = `seed ${long.seed}`;

    const log = await countLog(`${folder}/log`);
    assert.deepEqual(log.troubles, [], about);
    assert.deepEqual(Object.fromEntries([...log.counts].sort()), expected, about);

    const stats = JSON.parse((await long.command('stats', '--json', '--since=40d')).stdout) as {
      attempts: number;
      reasons: Record<string, number>;
    };
    const byReason = Object.fromEntries(
      [...counts].map(([key, count]) => [key.replace(/^\w+: /, ''), count]),
    );
    assert.deepEqual({ ...byReason, ...stats.reasons }, byReason, about);
    assert.equal(
      stats.attempts,
      [...counts.values()].reduce((sum, count) => sum + count, 0),
      about,
    );

    assert.equal((await long.command('db', 'purge', '--yes')).status, 0);
    const info = JSON.parse((await long.command('db', 'info', '--json')).stdout) as {
      entries: { waiting: number; passed: number };
    };
    assert.deepEqual(info.entries, long.model.alive(clock.now()), about);
    assert.equal((await long.command('db', 'check')).status, 0);
    t.diagnostic(`${about}: ${JSON.stringify(expected)}, then ${JSON.stringify(info.entries)}`);
  },
);
