/** What dist/ holds besides compiled code: the whitelists that come with greyctl, and the texts that are asked for most. */
import { cpSync } from 'node:fs';
import { prepare } from './dist/cli/prepare.js';

cpSync('src/whitelist/lists', 'dist/whitelist/lists', { recursive: true });
await prepare();
