import { Writable } from 'node:stream';
import { createTerminal, type ColorWhen, type Terminal } from './terminal.js';

const home = '\u001b[H';
const eraseLineEnd = '\u001b[K';
const eraseBelow = '\u001b[J';

/** A screen that is painted again and again without flicker; what does not fit is cut at the bottom. */
export interface Screen {
  /** Shows what `paint` prints, in place of what was there. */
  show(paint: (terminal: Terminal) => Promise<void>): Promise<void>;
}

/** The lines that fit, each erasing what was to the right of it. */
function fitted(text: string, rows: number): string {
  return text
    .trimEnd()
    .split('\n')
    .slice(0, Math.max(1, rows - 1))
    .map((line) => `${line}${eraseLineEnd}\n`)
    .join('');
}

/** The terminal behind `stream` as a screen; cleared at the first picture only. */
export function createScreen(
  stream: NodeJS.WriteStream,
  color: ColorWhen,
  environment: Readonly<Record<string, string | undefined>>,
): Screen {
  let isFirst = true;
  return {
    show: async (paint) => {
      let text = '';
      const paper = new Writable({
        write: (chunk: Buffer, _encoding, done) => {
          text += chunk.toString();
          done();
        },
      });
      const shape = { isTTY: true, columns: stream.columns };
      await paint(createTerminal(Object.assign(paper, shape), color, environment));
      stream.write(
        `${home}${isFirst ? eraseBelow : ''}${fitted(text, stream.rows > 0 ? stream.rows : 24)}${eraseBelow}`,
      );
      isFirst = false;
    },
  };
}
