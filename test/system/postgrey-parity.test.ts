/**
 * Real postgrey, side by side with greyctl's decision. postgrey is told the time of each request (`policy_test_time`), so
 * that weeks go by in seconds.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { defaultSettings, type Settings } from '#src/greylist/settings.js';
import { differingClients, lists } from '../support/hand-lists.js';
import { connect, request, type PolicyClient } from '../support/policy-client.js';
import { postgrey } from '../support/postgrey.js';
import { needs } from '../support/programs.js';
import { random } from '../support/random.js';
import { traffic, type Plan, type Step } from '../support/traffic.js';
import { twoMemories } from '../support/two-memories.js';

const day = 86_400;
const start = Date.UTC(2025, 0, 1) / 1000;
const texts = [
  '--greylist-text=wait %s for %r',
  '--x-greylist-header=X-Greylist: delayed %t seconds',
  '--quiet',
];

interface Program {
  readonly settings: Settings;
  /** postgrey's switches for the settings, without --delay. */
  readonly switches: readonly string[];
  readonly days: number;
  readonly requests: number;
  /** From a day on, another delay. */
  readonly raised?: { readonly day: number; readonly delaySeconds: number };
}

function planOf({ settings, days, requests, raised }: Program): Plan {
  const { delaySeconds, retryWindowSeconds, maxAgeSeconds } = settings;
  return {
    start,
    days,
    requests,
    delaySeconds: (time) => (raised && time >= start + raised.day * day ? raised.delaySeconds : delaySeconds),
    retryWindowSeconds,
    maxAgeSeconds,
    differences: true,
  };
}

function ask(client: PolicyClient, step: Step): Promise<string> {
  return client.ask(
    request({
      policy_test_time: step.time,
      client_address: step.clientAddress,
      client_name: step.clientName,
      sender: step.sender,
      recipient: step.recipient,
      instance: step.instance,
    }),
  );
}

/** Runs `check` of a step; its failure names the seed, the step and what led to it. */
function explained<T>(seed: number, steps: readonly Step[], index: number, check: () => T): T {
  try {
    return check();
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    throw new Error(`SEED=${seed}, step ${index}: ${what}\n${history(steps, index)}`, { cause: error });
  }
}

/** The step and the earlier ones with its client or recipient. */
function history(steps: readonly Step[], index: number): string {
  const step = steps[index];
  const related = steps
    .slice(0, index + 1)
    .filter(
      (one) =>
        one.clientAddress === step?.clientAddress ||
        one.recipient.toLowerCase() === step?.recipient.toLowerCase(),
    )
    .slice(-12);
  return related.map((one) => JSON.stringify(one)).join('\n');
}

/** Plays the program to both; returns how often each named difference showed and how many steps no difference touched. */
async function play(t: TestContext, program: Program) {
  const dice = random();
  const plan = planOf(program);
  const steps = traffic(dice, plan);
  const peer = await postgrey([...program.switches, `--delay=${plan.delaySeconds(start)}`, ...texts], {
    ...lists,
    clients: [...lists.clients, ...differingClients],
  });
  t.after(() => peer.stop());
  let client = await connect(peer.endpoint);
  t.after(() => {
    client.close();
  });

  const memories = twoMemories();
  const shown = new Map<string, number>();
  let strict = 0;
  let delaySeconds = plan.delaySeconds(start);
  for (const [index, step] of steps.entries()) {
    const wanted = plan.delaySeconds(step.time);
    if (wanted > delaySeconds) {
      delaySeconds = wanted;
      client.close();
      await peer.restart([...program.switches, `--delay=${wanted}`, ...texts]);
      client = await connect(peer.endpoint);
      memories.restart();
    }
    const said = await ask(client, step);
    const { greyctl, cause } = explained(dice.seed, steps, index, () => {
      const both = memories.compare(step, { ...program.settings, delaySeconds });
      const { greyctl, asPostgrey } = both;
      assert.ok(
        said === asPostgrey,
        `postgrey: ${said}; greyctl with postgrey's ways put back: ${asPostgrey}`,
      );
      assert.ok(
        said === greyctl || both.cause,
        `postgrey: ${said}; greyctl: ${greyctl}; no difference is allowed here`,
      );
      return both;
    });
    if (cause === undefined) strict += 1;
    if (said !== greyctl) shown.set(cause ?? '', (shown.get(cause ?? '') ?? 0) + 1);
  }
  t.diagnostic(`SEED=${dice.seed}: ${steps.length} requests, ${strict} of them touched by no difference`);
  for (const [name, count] of [...shown].sort()) t.diagnostic(`${name}: ${count} answers differ`);
  return { steps: steps.length, strict, shown, seed: dice.seed };
}

test(
  'greyctl answers 20,000 requests over 60 days as postgrey does, but for the named differences',
  needs('postgrey'),
  async (t) => {
    const result = await play(t, {
      settings: { ...defaultSettings, maxAgeSeconds: 20 * day },
      switches: ['--max-age=20'],
      days: 60,
      requests: 20_000,
      raised: { day: 42, delaySeconds: 700 },
    });
    assert.ok(result.steps >= 20_000);
    assert.ok(result.strict >= 0.95 * result.steps, `SEED=${result.seed}: differences touched too much`);
    // Each difference is met, or the program has stopped to test it.
    assert.deepEqual(
      [...result.shown.keys()].sort(),
      [
        'IPv4-mapped client is IPv4',
        'expression tried on the address',
        'max age at look-up',
        'raised delay leaves passed entries passed',
        'two octets are a /16',
      ],
      `SEED=${result.seed}`,
    );
  },
);

test('greyctl keyed by the whole address answers as postgrey does', needs('postgrey'), async (t) => {
  const { strict, steps, seed } = await play(t, {
    settings: { ...defaultSettings, clientKey: 'host', awlClients: 0, maxAgeSeconds: 5 * day },
    switches: ['--lookup-by-host', '--auto-whitelist-clients=0', '--max-age=5'],
    days: 20,
    requests: 2500,
  });
  assert.ok(strict >= 0.9 * steps, `SEED=${seed}: differences touched too much`);
});

test(
  'greyctl with other masks, window and auto-whitelist answers as postgrey does',
  needs('postgrey'),
  async (t) => {
    const { strict, steps, seed } = await play(t, {
      settings: {
        ...defaultSettings,
        delaySeconds: 61,
        retryWindowSeconds: 7 * 3600,
        maxAgeSeconds: 9 * day,
        awlClients: 2,
        ipv4Prefix: 22,
        ipv6Prefix: 48,
      },
      switches: [
        '--retry-window=7h',
        '--max-age=9',
        '--auto-whitelist-clients=2',
        '--ipv4cidr=22',
        '--ipv6cidr=48',
      ],
      days: 30,
      requests: 2500,
    });
    assert.ok(strict >= 0.9 * steps, `SEED=${seed}: differences touched too much`);
  },
);
