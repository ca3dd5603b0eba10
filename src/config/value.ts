/** How the text of a setting is read. A reader throws a BadValue whose message completes "NAME: …". */
import { excerpt } from '../greylist/printable.js';

/** A text that is not a value of its setting; `message` says what would be one. */
export class BadValue extends Error {
  constructor(text: string, wanted: string) {
    super(`"${excerpt(text)}" is not ${wanted}`);
    this.name = 'BadValue';
  }
}

const unitSeconds = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 } as const;
const unitNames = { s: 'seconds', m: 'minutes', h: 'hours', d: 'days', w: 'weeks' } as const;

export type DurationUnit = keyof typeof unitSeconds;

function isUnit(text: string): text is DurationUnit {
  return text in unitSeconds;
}

/** Seconds of `90`, `5m`, `36h`, `35d`, `2w`; a bare number counts in `bareUnit`. At most 100 years. */
export function readDuration(text: string, bareUnit: DurationUnit): number {
  const [, digits = '', unit = ''] = /^(\d{1,10})([a-z]?)$/.exec(text.trim()) ?? [];
  const seconds = Number(digits) * unitSeconds[isUnit(unit) ? unit : bareUnit];
  if (digits === '' || (unit !== '' && !isUnit(unit)) || seconds > 3_153_600_000) {
    throw new BadValue(
      text,
      `a duration: a number of ${unitNames[bareUnit]}, or one with a unit such as 90s, 5m, 36h, 35d`,
    );
  }
  return seconds;
}

/** A duration in the largest unit that holds it exactly: `5m`, `36h`, `35d`. */
export function writeDuration(seconds: number): string {
  for (const unit of ['d', 'h', 'm'] as const) {
    if (seconds > 0 && seconds % unitSeconds[unit] === 0) return `${seconds / unitSeconds[unit]}${unit}`;
  }
  return `${seconds}s`;
}

/** A decimal integer from `least` to `most`. */
export function readInteger(text: string, least: number, most: number): number {
  const value = /^\d{1,15}$/.test(text.trim()) ? Number(text) : -1;
  if (value < least || value > most) throw new BadValue(text, `a number from ${least} to ${most}`);
  return value;
}

/** File permissions in octal, e.g. 0666. */
export function readMode(text: string): number {
  if (!/^0?[0-7]{3}$/.test(text.trim())) throw new BadValue(text, 'a file mode in octal, such as 0660');
  return Number.parseInt(text, 8);
}

const truths: Readonly<Record<string, boolean>> = {
  ...{ yes: true, true: true, on: true, 1: true },
  ...{ no: false, false: false, off: false, 0: false },
};

/** yes or no, in the words people use. */
export function readFlag(text: string): boolean {
  const value = truths[text.trim().toLowerCase()];
  if (value === undefined) throw new BadValue(text, 'yes or no');
  return value;
}

/** One of the given words. */
export function readChoice<const T extends string>(text: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text.trim());
  if (found === undefined) throw new BadValue(text, `one of ${choices.join(', ')}`);
  return found;
}

/** Text for one line: not empty, no control characters. */
export function readText(text: string): string {
  // eslint-disable-next-line no-control-regex
  if (text === '' || /[\u0000-\u001f\u007f]/.test(text)) throw new BadValue(text, 'a text of one line');
  return text;
}
