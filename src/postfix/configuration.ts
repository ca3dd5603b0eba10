/**
 * What `postconf -n` prints, and behind it `postconf -M` and `postconf -P` where there are such lines.
 *
 *     name = value                       main.cf; a line that begins with a blank goes on with the value
 *     name TYPE y n - - 0 COMMAND        master.cf: its eight columns, see master(5)
 *     name/TYPE/parameter = value        master.cf: `-o parameter=value`
 *
 * Values are expanded as far as what is given tells: `$name`, `${name}`, `$(name)`, `${name?text}`, `${name:text}`. What
 * is not known stays as it is written; conditions between values (`${{a} == {b} ? …}`) are not evaluated.
 */

/** A line of master.cf. */
export interface Service {
  /** `smtp`, `submission`, `127.0.0.1:10025` … */
  readonly name: string;
  readonly type: string;
  readonly isChrooted: boolean;
  /** The program: `smtpd`, `postscreen` … */
  readonly command: string;
  /** What `-o` sets for it. */
  readonly overrides: ReadonlyMap<string, string>;
}

export interface Configuration {
  readonly parameters: ReadonlyMap<string, string>;
  /** Empty where only main.cf is known. */
  readonly services: readonly Service[];
}

/** Postfix's own values, as `postconf -d` of 3.10 prints them, of the parameters that the checks read. */
const defaults: Readonly<Record<string, string>> = {
  default_process_limit: '100',
  mail_owner: 'postfix',
  mynetworks: '127.0.0.0/8 [::1]/128',
  queue_directory: '/var/spool/postfix',
  smtpd_delay_reject: 'yes',
  smtpd_policy_service_default_action: '451 4.3.5 Server configuration problem',
  smtpd_policy_service_timeout: '100s',
  smtpd_reject_unlisted_recipient: 'yes',
  smtpd_relay_restrictions: 'permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination',
  smtpd_sasl_auth_enable: 'no',
  postscreen_bare_newline_enable: 'no',
  postscreen_non_smtp_command_enable: 'no',
  postscreen_pipelining_enable: 'no',
};

const serviceTypes =
  /^(\S+)\s+(inet|unix|unix-dgram|fifo|pass)\s+[-yn]\s+[-yn]\s+([-yn])\s+\S+\s+\S+\s+(\S+)/;

/** Lines with what goes on in the next ones. */
function logicalLines(text: string): string[] {
  const lines: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*(#|$)/.test(line)) continue;
    if (/^\s/.test(line) && lines.length > 0) lines.push(`${lines.pop() ?? ''} ${line.trim()}`);
    else lines.push(line.trim());
  }
  return lines;
}

/** Reads what postconf printed; lines of no known form are left out. */
export function parseConfiguration(text: string): Configuration {
  const parameters = new Map<string, string>();
  const services: (Service & { readonly overrides: Map<string, string> })[] = [];
  for (const line of logicalLines(text)) {
    const service = serviceTypes.exec(line);
    const [, name = '', value = ''] = /^([\w./:[\]-]+)\s*=\s*(.*)$/.exec(line) ?? [];
    if (service) {
      const [, ofService = '', type = '', chroot = '', command = ''] = service;
      services.push({
        name: ofService,
        type,
        isChrooted: chroot === 'y',
        command,
        overrides: new Map(),
      });
    } else if (name.includes('/')) {
      const [ofService, type, parameter = ''] = name.split('/');
      const known = services.find((candidate) => candidate.name === ofService && candidate.type === type);
      known?.overrides.set(parameter, value);
    } else if (name !== '') parameters.set(name, value);
  }
  return { parameters, services };
}

/** Values of parameters, expanded, as one service sees them. */
export interface View {
  /** The value; Postfix's default where it is not set; empty where there is neither. */
  value(name: string): string;
  /** True for `yes`. */
  isOn(name: string): boolean;
  /** Seconds of a time such as `100s` or `1h`; a bare number is seconds. NaN when it is none. */
  seconds(name: string): number;
}

/** Deeper than any configuration nests, and an end for one that names itself. */
const mostExpansions = 20;

const secondsPer: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** The parameters with those of `service` instead of main.cf's. */
export function viewOf(configuration: Configuration, service?: Service): View {
  const given = (name: string) => service?.overrides.get(name) ?? configuration.parameters.get(name);
  // Since 2.10 a default keeps strangers from relaying, unless main.cf is as old as the level 0.
  const hasRelayDefault = Number.parseInt(given('compatibility_level') ?? '0', 10) >= 1;
  const raw = (name: string) =>
    given(name) ?? (name === 'smtpd_relay_restrictions' && !hasRelayDefault ? '' : defaults[name]);
  const expand = (text: string, depth: number): string =>
    depth > mostExpansions
      ? text
      : text.replace(
          /\$(?:(\w+)|[{(](\w+)(?:([?:])([^{}()]*))?[})])/g,
          (written: string, plain?: string, bracketed?: string, test?: string, then?: string) => {
            const found = raw(plain ?? bracketed ?? '');
            if (test === '?') return found ? expand(then ?? '', depth + 1) : '';
            if (test === ':') return found ? '' : expand(then ?? '', depth + 1);
            return found === undefined ? written : expand(found, depth + 1);
          },
        );
  const value = (name: string) => expand(raw(name) ?? '', 0).trim();
  return {
    value,
    isOn: (name) => value(name).toLowerCase() === 'yes',
    seconds: (name) => readSeconds(value(name)),
  };
}

/** Seconds of one of Postfix's times (postconf(5), `s` unless said otherwise); NaN when it is none. */
export function readSeconds(text: string): number {
  const [, digits, unit = 's'] = /^(\d+)([smhdw]?)$/.exec(text.trim()) ?? [];
  return Number(digits ?? NaN) * (secondsPer[unit || 's'] ?? NaN);
}
