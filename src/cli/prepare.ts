import { mkdirSync, writeFileSync } from 'node:fs';
import { bashScript, zshScript } from './completion/scripts.js';
import { commandWords } from './completion/words.js';
import { commands } from './commands.js';
import { generalHelp } from './parser.js';
import { completionFile, helpFile, preparedFolder, preparedWidths } from './prepared.js';

/** The last step of the build: makes what prepared.ts reads. */
export async function prepare(): Promise<void> {
  const words = await commandWords(commands);
  const texts: [string, string][] = [
    [completionFile('bash'), bashScript(words)],
    [completionFile('zsh'), zshScript(words)],
  ];
  for (const width of preparedWidths) texts.push([helpFile(width), await generalHelp(width)]);
  mkdirSync(preparedFolder, { recursive: true });
  for (const [file, text] of texts) writeFileSync(new URL(file, preparedFolder), text);
}
