/** Text for Postfix's configuration files and for the file that the unit reads its options from. */

/**
 * `plain`: while greyctl does not answer, mail waits (Postfix answers 451 4.3.5). `fail-open`: it flows; needs Postfix 3.0.
 */
export type PolicyForm = 'plain' | 'fail-open';

/** postconf(5) queue_directory. Below it a path is named from there: the same inside and outside of smtpd's chroot. */
const queueDirectory = '/var/spool/postfix/';

/** How main.cf names the policy service, in one form. `name` is `inet:HOST:PORT` or `unix:PATH`; all addresses are reached over loopback. */
export function policyCheck(name: string, form: PolicyForm): string {
  const service = name
    .replace(`unix:${queueDirectory}`, 'unix:')
    .replace('inet:0.0.0.0:', 'inet:127.0.0.1:')
    .replace('inet:[::]:', 'inet:[::1]:');
  return form === 'plain'
    ? `check_policy_service ${service}`
    : `check_policy_service { ${service}, timeout=10s, default_action=DUNNO }`;
}

/**
 * smtpd_recipient_restrictions with the policy check at the end: mail of the own networks, of users that logged in and to foreign
 * domains is decided before greylisting is asked.
 */
export function recipientRestrictions(name: string, form: PolicyForm): string {
  const lines = [
    'permit_mynetworks',
    'permit_sasl_authenticated',
    'reject_unauth_destination',
    policyCheck(name, form),
  ];
  return `smtpd_recipient_restrictions =\n${lines.map((line) => `    ${line}`).join(',\n')}\n`;
}

/** main.cf with the restrictions in one form; or the plain one, and the other as a comment. */
export function mainCf(name: string, form?: PolicyForm): string {
  if (form) return recipientRestrictions(name, form);
  const commented = recipientRestrictions(name, 'fail-open').trimEnd().replace(/^/gm, '# ');
  return [
    '# /etc/postfix/main.cf: greylisting comes last. If you have other restrictions, keep them before it.',
    recipientRestrictions(name, 'plain'),
    '# The same for Postfix 3.0 and later, so that mail flows while greyctl does not answer:',
    commented,
    '',
    submission,
    '# Then: postfix check && postfix reload',
    '',
  ].join('\n');
}

/** Submission services of master.cf ask no greylister: users there have logged in. */
const submission = [
  '# Mail that users submit is not greylisted, and refused unless they log in. In master.cf, below submission and submissions (smtps):',
  '#   -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject',
  '',
].join('\n');

/**
 * main.cf with a restriction class `name`: only recipients that a table names are greylisted. postconf(5) smtpd_restriction_classes.
 */
export function restrictionClass(service: string, name: string, form: PolicyForm = 'plain'): string {
  const lines = [
    'permit_mynetworks',
    'permit_sasl_authenticated',
    'reject_unauth_destination',
    `check_recipient_access $default_database_type:/etc/postfix/${name}_recipients`,
  ];
  return [
    `# /etc/postfix/main.cf: only recipients in /etc/postfix/${name}_recipients are greylisted. In this file, a line for each:`,
    `#   user@example.org    ${name}`,
    `#   example.org         ${name}`,
    '# If there are smtpd_restriction_classes already, add this one to them.',
    `smtpd_restriction_classes = ${name}`,
    `${name} = ${policyCheck(service, form)}`,
    `smtpd_recipient_restrictions =\n${lines.map((line) => `    ${line}`).join(',\n')}`,
    '',
    submission,
    `# Then: postmap /etc/postfix/${name}_recipients && postfix check && postfix reload`,
    '',
  ].join('\n');
}

/** An argument as shells and systemd take it apart again: the value in quotes where it needs them. It must not hold both kinds of quotes. */
function quoteArgument(argument: string): string {
  if (/^[\w@%+=:,./[\]-]+$/.test(argument)) return argument;
  const value = argument.indexOf('=') + 1;
  const quote = argument.includes("'") ? '"' : "'";
  return `${argument.slice(0, value)}${quote}${argument.slice(value)}${quote}`;
}

/** An options file with exactly these arguments: `GREYCTL_OPTS="--inet=127.0.0.1:60000 --delay=60"`. */
export function optionsFile(args: readonly string[]): string {
  const words = args
    .map(quoteArgument)
    .join(' ')
    .replace(/["\\`$]/g, '\\$&');
  return [
    '# /etc/default/greyctl: options of the policy server, for a unit with',
    '#   EnvironmentFile=/etc/default/greyctl',
    '#   ExecStart=/usr/bin/greyctl serve $GREYCTL_OPTS',
    `GREYCTL_OPTS="${words}"`,
    '',
  ].join('\n');
}
