import { parseEndpoint } from '../../config/endpoint.js';
import type { Values } from '../../config/options.js';
import { inetOf } from '../../config/resolve.js';
import { isLoopback, parseAddress } from '../../greylist/address.js';
import { Failure } from '../../greylist/failure.js';
import { systemdSockets, type ListenAddress } from '../../server/listen.js';
import type { Process } from '../context.js';

function checkedPlaces(values: Values): ListenAddress[] {
  const places: ListenAddress[] = inetOf(values).flatMap((text) => {
    const endpoint = parseEndpoint(text);
    return endpoint ? [{ type: 'inet', ...endpoint }] : [];
  });
  return [
    ...places,
    ...values.unix.map((path): ListenAddress => ({ type: 'unix', path, mode: values.socketmode })),
  ];
}

function isLoopbackHost(host: string): boolean {
  const address = parseAddress(host);
  return address !== undefined && isLoopback(address);
}

/** Where to listen: what systemd handed over, and what the settings name. Throws a Failure where that would be open to anybody. */
export function placesOf(values: Values, outside: Process): ListenAddress[] {
  const handedOver = systemdSockets(outside.environment, process.pid);
  if (handedOver.length > 0 && values.inet.length + values.unix.length === 0) return handedOver;
  const places = checkedPlaces(values);
  for (const place of places) {
    if (place.type === 'inet' && !isLoopbackHost(place.host) && values.allow.length === 0) {
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
