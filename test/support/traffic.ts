/**
 * Weeks of mail as a seeded program of attempts: many short stories, each testing an edge of the greylisting rules or telling
 * of an ordinary correspondent, laid over one another in time.
 */
import {
  anyone,
  anyRecipient,
  anySender,
  clientListedOnlyByGreyctl,
  listedClient,
  listedRecipient,
  mappedPool,
  singleHost,
  type Correspondence,
  type Dice,
} from './correspondents.js';

/** One attempt of the program. */
export interface Step {
  /** Epoch seconds, on the greylister's clock. */
  readonly time: number;
  readonly clientAddress: string;
  readonly clientName: string;
  readonly sender: string;
  readonly recipient: string;
  readonly instance: string;
  /** The story it belongs to; for the message of a failed test. */
  readonly story: string;
}

export interface Plan {
  /** Epoch seconds. */
  readonly start: number;
  readonly days: number;
  /** At least so many steps. */
  readonly requests: number;
  readonly delaySeconds: (time: number) => number;
  readonly retryWindowSeconds: number;
  readonly maxAgeSeconds: number;
  /** Tell also the stories in which greyctl differs from postgrey on purpose. */
  readonly differences: boolean;
}

/** A step at an offset from the story's beginning; `order` differs from `time` where the clock was set back. */
interface Moment extends Omit<Step, 'story'> {
  readonly order: number;
}

interface Told {
  readonly dice: Dice;
  readonly plan: Plan;
  /** Epoch seconds of the beginning. */
  readonly begin: number;
  /** The delay at the beginning. */
  readonly delay: number;
  readonly instance: () => string;
}

const hour = 3600;
const day = 86_400;

function attempt(told: Told, who: Correspondence, offset: number, instance = told.instance()): Moment {
  const { address, name } = who.client();
  const time = told.begin + offset;
  return {
    order: time,
    time,
    clientAddress: address,
    clientName: name,
    sender: who.sender(),
    recipient: who.recipient(),
    instance,
  };
}

function attempts(told: Told, who: Correspondence, offsets: readonly number[]): Moment[] {
  return offsets.map((offset) => attempt(told, who, offset));
}

function edges(told: Told): Moment[] {
  const { delay: d, dice, plan } = told;
  const w = plan.retryWindowSeconds;
  const offsets = dice.oneOf([
    [0, d - 1, d, d + 1],
    [0, 0, 1, d],
    [0, d, d, d + 1],
    [0, w - 1],
    [0, w, w + 1],
    [0, w + 1, w + d, w + 1 + d],
    [0, d - 1, w, w + d],
    [0, 1, w + 1, 2 * w + 2, 2 * w + 2 + d],
    [0, d - 1, w + d - 1, w + 2 * d - 1],
  ]);
  return attempts(told, anyone(dice), offsets);
}

/** A queue that backs off, from a single attempt to many. */
function retries(told: Told): Moment[] {
  const { dice } = told;
  const first = dice.oneOf([1, 30, 60, told.delay - 1, told.delay, 300, 900, hour]);
  const factor = dice.oneOf([1, 1.5, 2]);
  const offsets = [0];
  for (let gap = first; offsets.length <= dice.pick(7); gap = Math.min(gap * factor, 4 * hour)) {
    offsets.push((offsets.at(-1) ?? 0) + Math.ceil(gap));
  }
  return attempts(told, anyone(dice), offsets);
}

function severalRecipients(told: Told): Moment[] {
  const { dice } = told;
  const client = singleHost(dice);
  const sender = anySender(dice);
  const recipients = Array.from({ length: 2 + dice.pick(2) }, () => anyRecipient(dice));
  return [0, dice.pick(2 * told.delay), 2 * told.delay, 3 * told.delay].flatMap((offset) => {
    const instance = told.instance();
    return recipients.map((recipient) => attempt(told, { client, sender, recipient }, offset, instance));
  });
}

/** A client that earns its place on the auto-whitelist, or just not, and is then quiet for as long as it is remembered. */
function autoWhitelist(told: Told): Moment[] {
  const { dice, delay, plan } = told;
  const client = singleHost(dice);
  const stranger = () => ({ client, sender: anySender(dice), recipient: anyRecipient(dice) });
  const gap = dice.oneOf([hour - 1, hour, hour + 1, hour / 2, 2 * hour, 9 * hour]);
  const earned = Array.from({ length: 4 + dice.pick(4) }, (_, index) =>
    attempts(told, stranger(), [index * gap, index * gap + delay]),
  ).flat();
  const after = 10 * gap + 2 * hour;
  const quiet = after + plan.maxAgeSeconds + (plan.differences ? dice.pick(2) : 0);
  return [
    ...earned,
    ...[after, quiet, quiet + delay].flatMap((offset) => attempts(told, stranger(), [offset])),
  ];
}

function known(told: Told): Moment[] {
  const who = anyone(told.dice);
  const offsets = [0, told.delay + told.dice.pick(hour)];
  for (let more = told.dice.pick(8); more > 0; more -= 1) {
    offsets.push((offsets.at(-1) ?? 0) + hour + told.dice.pick(5 * day));
  }
  return attempts(told, who, offsets);
}

/** Passed, and then unused exactly as long as it is remembered, or one second more. */
function quietForMaxAge(told: Told): Moment[] {
  const { delay, dice, plan } = told;
  const who = { ...anyone(dice), client: singleHost(dice) };
  const quiet = delay + plan.maxAgeSeconds + (plan.differences ? dice.pick(2) : 0);
  return attempts(told, who, [0, delay, quiet, quiet + delay, quiet + delay + 1]);
}

/** Passed at the first chance, and not used again until days later. */
function backAfterDays(told: Told): Moment[] {
  const { delay, dice, plan } = told;
  const later = delay + day + dice.pick(plan.maxAgeSeconds - 2 * day);
  return attempts(told, anyone(dice), [0, delay, later, later + delay, later + 2 * delay]);
}

function clockSetBack(told: Told): Moment[] {
  const who = { ...anyone(told.dice), client: singleHost(told.dice) };
  const back = 1 + told.dice.pick(told.delay - 1);
  return attempts(told, who, [0, 1, told.delay, told.delay + 1]).map((moment, index) => ({
    ...moment,
    time: moment.time - (index === 0 ? 0 : back),
  }));
}

function listed(told: Told): Moment[] {
  const { dice } = told;
  const who = anyone(dice);
  const client = { ...who, client: listedClient(dice) };
  const recipient = { ...who, recipient: listedRecipient(dice) };
  return attempts(told, dice.pick(2) === 0 ? client : recipient, [0, 1, told.delay, told.delay + day]);
}

function mapped(told: Told): Moment[] {
  return attempts(told, { ...anyone(told.dice), client: mappedPool(told.dice) }, [0, told.delay, hour]);
}

function listedOnlyByGreyctl(told: Told): Moment[] {
  const who = { ...anyone(told.dice), client: clientListedOnlyByGreyctl(told.dice) };
  return attempts(told, who, [0, told.delay]);
}

type Story = (told: Told) => Moment[];

/** Each story with how often it is told in a hundred, about. */
const alike: readonly [Story, number][] = [
  [edges, 25],
  [retries, 28],
  [backAfterDays, 3],
  [known, 20],
  [severalRecipients, 6],
  [autoWhitelist, 6],
  [quietForMaxAge, 2],
  [clockSetBack, 2],
  [listed, 6],
];
const unlike: readonly [Story, number][] = [
  [mapped, 1],
  [listedOnlyByGreyctl, 1],
];

/** The whole program, in the order in which it happens. */
export function traffic(dice: Dice, plan: Plan): Step[] {
  const [first, ...rest] = [...alike, ...(plan.differences ? unlike : [])].flatMap(([story, weight]) =>
    new Array<Story>(weight).fill(story),
  );
  if (!first) throw new Error('no story to tell');
  const end = plan.start + plan.days * day;
  const steps: { readonly order: number; readonly step: Step }[] = [];
  let instances = 0;
  const instance = () => `${(instances += 1).toString(16)}.5f5e1000.0`;
  while (steps.length < plan.requests) {
    const story = dice.oneOf([first, ...rest]);
    const begin = plan.start + dice.pick(plan.days * day);
    const told = { dice, plan, begin, delay: plan.delaySeconds(begin), instance };
    const moments = story(told).filter(({ order }) => order < end);
    steps.push(...moments.map(({ order, ...moment }) => ({ order, step: { ...moment, story: story.name } })));
  }
  // The sort is stable: the recipients of one message stay together.
  return steps.sort((a, b) => a.order - b.order).map(({ step }) => step);
}
