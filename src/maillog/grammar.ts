/** From a line with its header to what it says; the rules for each program are in the grammar-… files. */
import type { LogEvent } from './events.js';
import { bounceEvent, cleanupEvent, deliveryEvent, pickupEvent, qmgrEvent } from './grammar-queue.js';
import { policyEvent } from './grammar-policy.js';
import { postscreenEvent, smtpdEvent } from './grammar-smtpd.js';
import type { Header } from './header.js';

const removed = ': removed';

/** rsyslog's `… N messages lost due to rate-limiting`, older `imuxsock lost N messages`; journald's `Suppressed N messages`. */
const lossMarker = /(?:lost|Suppressed) (\d+) messages|(\d+) messages lost/;

function lossEvent(line: string, text: number): LogEvent | undefined {
  const found = lossMarker.exec(line.slice(text));
  return found ? { type: 'lost', lines: Number(found[1] ?? found[2]) } : undefined;
}

/** What a line says whose program is not known: the forms of the programs do not overlap. */
function anyEvent(line: string, header: Header): LogEvent | undefined {
  return (
    smtpdEvent(line, header) ??
    qmgrEvent(line, header) ??
    deliveryEvent(line, header) ??
    cleanupEvent(line, header) ??
    pickupEvent(line, header) ??
    bounceEvent(line) ??
    policyEvent(line, header.text)
  );
}

/** What the line says about mail; undefined when that is nothing. */
export function readEvent(line: string, header: Header): LogEvent | undefined {
  switch (header.program) {
    case 'smtpd':
      return smtpdEvent(line, header);
    case 'qmgr':
      return qmgrEvent(line, header);
    case 'cleanup':
      return cleanupEvent(line, header);
    case 'delivery':
      return deliveryEvent(line, header);
    case 'postscreen':
      return postscreenEvent(line, header);
    case 'pickup':
      return pickupEvent(line, header);
    case 'bounce':
      return bounceEvent(line);
    case 'postsuper':
      return line.endsWith(removed) ? qmgrEvent(line, header) : undefined;
    case 'logger':
      return lossEvent(line, header.text);
    case 'postfix':
      return anyEvent(line, header);
    case 'other':
      return policyEvent(line, header.text);
  }
}
