import { optionNames, options } from '../../config/options.js';
import type { Option } from '../../config/option.js';
import type { Given, Resolved } from '../../config/resolve.js';
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

function parseSweep(text: string): { name: string; values: string[] } {
  const [, name = '', list = ''] = /^(?:--)?([a-z0-9-]+)=(.+)$/.exec(text) ?? [];
  const option = optionNames.find((known) => known === name);
  const known: Option<unknown> | undefined = option && options[option];
  if (known?.group !== 'decision' || known.repeatable || name === 'privacy') {
    throw new Failure(
      `--sweep: "${excerpt(text)}" is not SETTING=VALUE,VALUE… with a setting of the decision`,
      {
        kind: 'usage',
        hint: 'greyctl simulate --sweep delay=60,300,900 mail.log',
      },
    );
  }
  return { name, values: list.split(',') };
}

function tooMany(count: number): Failure {
  return new Failure(`--sweep: ${count} combinations are more than ${mostCombinations}`, { kind: 'usage' });
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
    if (swept.has(name)) throw new Failure(`--sweep: ${name} is swept twice`, { kind: 'usage' });
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
