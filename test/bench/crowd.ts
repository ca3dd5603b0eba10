/** What ordinary clients notice of a thousand that say nothing and a thousand that send one byte a second. */
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { socketAddress } from '../support/conversation.js';
import { encode, request } from '../support/policy-client.js';
import type { Report } from './bench.js';
import { copyFolder, loads, measure, startOn } from './cells.js';
import { aimed, largestOf, p99, ratioOf, tableOf, type Round } from './rounds.js';
import type { Scenery } from './scenery.js';
import { greyctl } from './servers.js';

const eachKind = 1000;
const ticksPerSecond = 100;
const question = encode(request());

/** Opens them all; resolves to what makes them leave. */
async function gather(endpoint: string): Promise<() => void> {
  const sockets = Array.from({ length: 2 * eachKind }, () => net.connect(socketAddress(endpoint)));
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  let hasClosed = false;
  for (const socket of sockets) {
    // Answers to requests that took minutes to send.
    socket.resume();
    socket.once('close', () => (hasClosed = true));
  }
  const slow = sockets.slice(eachKind);
  const atOnce = eachKind / ticksPerSecond;
  let tick = 0;
  const dripping = setInterval(() => {
    const from = (tick % ticksPerSecond) * atOnce;
    const byte = question.charAt(Math.floor(tick / ticksPerSecond) % question.length);
    for (const socket of slow.slice(from, from + atOnce)) socket.write(byte);
    tick += 1;
  }, 1000 / ticksPerSecond);
  return () => {
    clearInterval(dripping);
    if (hasClosed) throw new Error(`${endpoint} closed connections that were slow or silent`);
    for (const socket of sockets) socket.destroy();
  };
}

/** One server, in turn alone with its 50 ordinary clients and in the crowd. */
export async function crowd({ folder, prepared, loaders, runs, seconds, say }: Scenery): Promise<Report> {
  const [alone, crowded] = ['without a crowd', '1,000 silent and 1,000 slow clients'];
  const place = copyFolder(prepared, path.join(folder, 'crowd'));
  const running = await startOn(greyctl('greyctl', [`--max-connections=${2 * eachKind + 100}`]), place);
  const rounds = new Map<string, Round[]>([
    [alone, []],
    [crowded, []],
  ]);
  const load = { endpoint: running.endpoint, connections: 50, newOfTen: loads.mix, seconds };
  try {
    await loaders.run(load);
    for (let run = 1; run <= runs; run += 1) {
      for (const [name, ofName] of rounds) {
        const leave = name === crowded ? await gather(running.endpoint) : () => undefined;
        const round = await measure(running, () => loaders.run(load));
        leave();
        ofName.push(round);
        say(`crowd, ${name}, run ${run} of ${runs}: p99 ${round.p99Milliseconds} ms`);
      }
    }
  } finally {
    await running.stop();
  }
  const peak = largestOf(rounds.get(crowded), ({ peakMegabytes }) => peakMegabytes);
  return {
    tables: [tableOf('crowd: mix/50/tcp', rounds, [alone])],
    comparisons: [
      ...aimed(
        "2,000 silent or slow clients: p99 / without's",
        ratioOf(rounds, crowded, alone, p99),
        'less',
        3,
      ),
      ...aimed('2,000 silent or slow clients: peak memory', peak, 'less', 300, 'MB'),
    ],
  };
}
