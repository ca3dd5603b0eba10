/** A policy server that decides nothing: it reads requests to their empty lines and answers DUNNO. What Node can do at most. */
import net from 'node:net';

const answer = Buffer.from('action=DUNNO\n\n');
const blankLine = Buffer.from('\n\n');

function serve(socket: net.Socket): void {
  let pending: Buffer | undefined;
  socket.on('data', (chunk) => {
    const bytes = pending ? Buffer.concat([pending, chunk]) : chunk;
    let start = 0;
    for (let end = bytes.indexOf(blankLine); end >= 0; end = bytes.indexOf(blankLine, start)) {
      socket.write(answer);
      start = end + blankLine.length;
    }
    pending = start < bytes.length ? bytes.subarray(start) : undefined;
  });
  socket.on('error', () => undefined);
}

const [place = ''] = process.argv.slice(2);
net
  .createServer({ noDelay: true }, serve)
  .listen(/^\d+$/.test(place) ? { host: '127.0.0.1', port: Number(place) } : { path: place });
