/** Damage for fuzzing: what a broken program, a bad disk or an attacker makes of good text. Texts are latin1, one character a byte. */
import type { random } from './random.js';

type Random = ReturnType<typeof random>;

const pieces = [
  ...[
    '\0',
    '\n',
    '\n\n',
    '\r\n',
    '=',
    '==',
    '@',
    '@@',
    '/',
    '\\',
    '\\x',
    '%',
    '%s%n',
    '"',
    "'",
    '`$(id)`',
    ';--',
  ],
  ...['\x1b]0;x\x07', '\x1b[2J', '\xff\xfe', '\xed\xa0\x80', '\xe2\x80\xae', '\xf0\x9f\x92\xa9', '\xc0\xaf'],
  ...[
    '-1',
    '99999999999999999999',
    '1e999',
    'NaN',
    '0x',
    '__proto__',
    'constructor',
    '::ffff:',
    '[',
    ']',
    '{',
  ],
  ...['+', '+-+', '()*', '(a+)+$', '.*.*.*.*x', '{1,1000}', '\u00a0', '\t', ' ', '#', ','],
] as const;

/** Changes `text` in one to `most` places; a part of it may be multiplied up to about 20,000 characters. */
export function mutate({ pick, oneOf }: Random, text: string, most = 4): string {
  let damaged = text;
  for (let times = 1 + pick(most); times > 0; times -= 1) {
    const at = pick(damaged.length + 1);
    const end = at + pick(30);
    const kinds = [
      () => damaged.slice(0, at) + damaged.slice(end),
      () => damaged.slice(0, at) + String.fromCharCode(pick(256)) + damaged.slice(at + 1),
      () => damaged.slice(0, at) + oneOf(pieces) + damaged.slice(at),
      () =>
        damaged.slice(0, at) +
        damaged.slice(at, end).repeat(1 + pick(pick(20) === 0 ? 600 : 4)) +
        damaged.slice(end),
      () => damaged.slice(at) + damaged.slice(0, at),
      () => damaged.slice(0, at),
      () =>
        damaged.slice(0, at) +
        Array.from({ length: pick(40) }, () => String.fromCharCode(pick(256))).join('') +
        damaged.slice(at),
    ] as const;
    damaged = oneOf(kinds)();
  }
  return damaged.slice(0, 200_000);
}
