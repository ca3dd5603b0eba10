#!/usr/bin/env node
import { main, runningProcess } from '../dist/cli/main.js';

process.exitCode = await main(process.argv.slice(2), runningProcess());
