/** A TCP address to listen on. */
export interface Endpoint {
  readonly host: string;
  /** 0–65535; 0 lets the system choose. */
  readonly port: number;
}

/**
 * `[HOST:]PORT`: a bare port and `localhost` mean 127.0.0.1, `*` all addresses; an IPv6 address stands in brackets. Undefined for
 * anything else.
 */
export function parseEndpoint(text: string): Endpoint | undefined {
  const [, bracketed, plain, digits] =
    /^(?:(?:\[([0-9a-f:.]+)\]|([^\s:[\]]+)):)?(\d{1,5})$/i.exec(text.trim()) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) return undefined;
  const host = bracketed ?? plain ?? '127.0.0.1';
  if (host === 'localhost') return { host: '127.0.0.1', port };
  return { host: host === '*' ? '0.0.0.0' : host, port };
}

/** `127.0.0.1:60000`, `[::1]:60000`. */
export function endpointText({ host, port }: Endpoint): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
