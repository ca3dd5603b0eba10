import { parseEndpoint } from '../../config/endpoint.js';
import type { Values } from '../../config/options.js';
import { Failure } from '../../greylist/failure.js';
import { isLoopback, systemdSockets, type Listen } from '../../server/listen.js';
import type { Process } from '../context.js';

function checkedPlaces(values: Values): Listen[] {
  const inet = values.inet.length + values.unix.length === 0 ? ['127.0.0.1:60000'] : values.inet;
  const places: Listen[] = inet.flatMap((text) => {
    const endpoint = parseEndpoint(text);
    return endpoint ? [{ type: 'inet', ...endpoint }] : [];
  });
  return [...places, ...values.unix.map((path): Listen => ({ type: 'unix', path, mode: values.socketmode }))];
}

/** Where to listen: what systemd handed over, and what the settings name. Throws a Failure where that would be open to anybody. */
export function placesOf(values: Values, outside: Process): Listen[] {
  const handedOver = systemdSockets(outside.environment, process.pid);
  if (handedOver.length > 0 && values.inet.length + values.unix.length === 0) return handedOver;
  const places = checkedPlaces(values);
  for (const place of places) {
    if (place.type === 'inet' && !isLoopback(place.host) && values.allow.length === 0) {
      throw new Failure(
        `will not listen on ${place.host}:${place.port}: anybody who reaches it could ask and fill the database`,
        {
          kind: 'usage',
          hint: '--allow=CIDR says who may connect, e.g. --allow=192.0.2.0/24',
        },
      );
    }
  }
  return [...handedOver, ...places];
}
