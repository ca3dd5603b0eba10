import { optionNames, options, type OptionName } from '../../config/options.js';
import type { Option } from '../../config/option.js';
import type { Given, Resolved } from '../../config/resolve.js';
import { BadValue } from '../../config/value.js';
import { Failure } from '../../greylist/failure.js';
import { excerpt } from '../../greylist/printable.js';

/** One combination of swept settings: what differs, and all settings with it. */
export interface Combination {
  /** `delay=60 client-key=domain`; empty where nothing is swept. */
  readonly label: string;
  readonly resolved: Resolved;
}

/** More than this fit no table and no patience. */
const mostCombinations = 64;

/** The settings that can be swept. */
const sweepable = optionNames.filter((name) => {
  const { group, repeatable }: Option<unknown> = options[name];
  return group === 'decision' && !repeatable && name !== 'privacy' && name !== 'privacy-key';
});

function usage(message: string, hint?: string): Failure {
  return new Failure(message, { kind: 'usage', ...(hint !== undefined && { hint }) });
}

/** Throws a Failure where a value is none of the setting, or the same as one before. */
function checkValues(name: OptionName, texts: readonly string[]): void {
  const option: Option<unknown> = options[name];
  const seen = new Map<unknown, string>();
  for (const text of texts) {
    let value: unknown;
    try {
      value = option.read([text]);
    } catch (error) {
      if (error instanceof BadValue) throw usage(`--sweep ${name}: ${error.message}`);
      throw error;
    }
    const same = seen.get(value);
    if (same === text) throw usage(`--sweep ${name}: ${text} is there twice`);
    if (same !== undefined) throw usage(`--sweep ${name}: ${same} and ${text} are the same`);
    seen.set(value, text);
  }
}

function parseSweep(text: string): { name: OptionName; values: string[] } {
  const [, word = '', list = ''] = /^(?:--)?([a-z0-9-]+)=(.+)$/.exec(text) ?? [];
  if (word === '')
    throw usage(
      `--sweep: "${excerpt(text)}" is not SETTING=VALUE,VALUE…`,
      'greyctl simulate --sweep delay=60,300,900 mail.log',
    );
  const name = sweepable.find((known) => known === word);
  if (name === undefined) {
    const why = optionNames.some((known) => known === word)
      ? 'is no setting that can be swept; these can be'
      : 'is no setting; these can be swept';
    throw usage(`--sweep: "${excerpt(word)}" ${why}: ${sweepable.join(', ')}`);
  }
  const values = list.split(',');
  checkValues(name, values);
  return { name, values };
}

/** Throws a Failure where the settings of a combination do not go together, though each is one. */
export function refuseCombination({ label, resolved: { problems } }: Combination): void {
  const [first] = problems;
  if (first !== undefined) throw usage(`--sweep ${label}: ${first}`);
}

function tooMany(count: number): Failure {
  return usage(`--sweep: ${count} combinations are more than ${mostCombinations}`);
}

/** All combinations of the swept settings, over what else is given; one when nothing is swept. Problems are in each `resolved`. */
export function combinations(
  sweeps: readonly string[],
  given: Given,
  rest: (given: Given) => Resolved,
): Combination[] {
  let found: { label: string; given: Given }[] = [{ label: '', given }];
  const swept = new Set<string>();
  for (const { name, values } of sweeps.map(parseSweep)) {
    if (swept.has(name)) throw usage(`--sweep: ${name} is swept twice`);
    swept.add(name);
    if (found.length * values.length > mostCombinations) throw tooMany(found.length * values.length);
    found = found.flatMap((one) =>
      values.map((value) => ({
        label: `${one.label} ${name}=${value}`.trim(),
        given: { ...one.given, [name]: [value] },
      })),
    );
  }
  return found.map((one) => ({ label: one.label, resolved: rest(one.given) }));
}
