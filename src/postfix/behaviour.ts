/** What Postfix does while the server does not answer, what else defers mail, and how a unix socket is reached. */
import { readSeconds, viewOf, type Configuration, type Service, type View } from './configuration.js';
import { ok, type Finding } from './finding.js';
import { wordsOf } from './restrictions.js';
import { isOwn, policyChecks, type PolicyCheck } from './wiring.js';

/** The server gives up on its database after 1 s; Postfix must wait longer. */
const leastTimeoutSeconds = 3;

/** What happens to mail while nothing answers. */
function defaultAction({ service }: PolicyCheck, view: View): Finding {
  const check = 'failure';
  const own = service.attributes.get('default_action');
  const action = own ?? view.value('smtpd_policy_service_default_action');
  if (/^(dunno|ok|permit|warn)\b/i.test(action))
    return ok(check, `mail flows while this server does not answer (${action})`);
  if (/^(5|reject\b|discard\b)/i.test(action)) {
    return {
      check,
      severity: 'problem',
      what: `while this server does not answer, mail is lost: the default action is ${action}`,
      why: 'Each restart of the server then refuses mail for good.',
      remedy: 'greyctl config postfix --form fail-open prints the lines for main.cf; then postfix reload',
    };
  }
  return {
    check,
    severity: 'note',
    what: `while this server does not answer, mail waits: the default action is ${action}`,
    why: 'That is Postfix’s default. Greylisting is no access control, so mail may as well flow.',
    remedy: 'greyctl config postfix --form fail-open prints the lines for main.cf (Postfix 3.0 and later)',
  };
}

function timeout({ service }: PolicyCheck, view: View): Finding {
  const check = 'timeout';
  const own = service.attributes.get('timeout');
  const seconds = own === undefined ? view.seconds('smtpd_policy_service_timeout') : readSeconds(own);
  if (!(seconds < leastTimeoutSeconds)) return ok(check, `Postfix waits ${seconds} s for an answer`);
  return {
    check,
    severity: 'warning',
    what: `Postfix waits only ${seconds} s for an answer`,
    why: `A busy database may take 1 s. Less than ${leastTimeoutSeconds} s makes Postfix take the default action instead.`,
    remedy:
      own === undefined
        ? 'postconf -X smtpd_policy_service_timeout; then postfix reload'
        : 'set timeout=10s behind check_policy_service; then postfix reload',
  };
}

/** Default action, time limits, connections, and when the restrictions are gone through. */
export function behaviour(found: PolicyCheck, view: View, mostConnections: number): Finding[] {
  const findings = [defaultAction(found, view), timeout(found, view)];
  const processes = Number(view.value('default_process_limit'));
  if (processes > mostConnections) {
    findings.push({
      check: 'connections',
      severity: 'warning',
      what: `Postfix may run ${processes} processes of smtpd, and this server takes ${mostConnections} connections`,
      why: 'Each process keeps one: further ones get the default action.',
      remedy: `greyctl serve --max-connections=${processes}`,
    });
  }
  if (view.isOn('smtpd_delay_reject')) return findings;
  const isTooEarly = /^smtpd_(client|helo|sender)_/.test(found.restriction.list);
  findings.push({
    check: 'smtpd_delay_reject',
    severity: isTooEarly ? 'problem' : 'note',
    what: isTooEarly
      ? `${found.restriction.list} asks before a recipient is named, as smtpd_delay_reject is no`
      : 'smtpd_delay_reject is no: clients are refused before they name a recipient',
    why: isTooEarly
      ? 'Without a recipient there is nothing to greylist: all mail passes.'
      : 'The log does not tell to whom refused mail would have gone.',
    remedy: 'postconf -e smtpd_delay_reject=yes; then postfix reload',
  });
  return findings;
}

const greylisterPort = /^inet:.*:(10023|60000|2501|10031)$/;
const greylisterName = /gr[ea]y|policyd|\bgld\b/i;

const second = 'second greylister';
const waitsTwice = 'Mail is deferred by both: it waits twice, and neither knows what the other has let pass.';

function greylisterService(endpoint: string): Finding {
  return {
    check: second,
    severity: 'warning',
    what: `Postfix asks ${endpoint}, which looks like another greylister`,
    why: waitsTwice,
    remedy: `remove check_policy_service ${endpoint} from main.cf; then postfix reload`,
  };
}

function greylisterMilter(milter: string): Finding[] {
  if (greylisterName.test(milter)) {
    return [
      {
        check: second,
        severity: 'warning',
        what: `the milter ${milter} looks like another greylister`,
        why: waitsTwice,
        remedy: `remove ${milter} from smtpd_milters; then postfix reload`,
      },
    ];
  }
  if (!/rspam|:11332$/i.test(milter)) return [];
  return [
    {
      check: second,
      severity: 'note',
      what: `the milter ${milter} looks like rspamd, which greylists where it has Redis, unless told otherwise`,
      why: waitsTwice,
      remedy:
        'rspamadm configdump greylist; to end it, enabled = false; in /etc/rspamd/local.d/greylist.conf',
    },
  ];
}

/** Policy services and milters that greylist as well. */
function otherGreylisters(view: View, own: readonly string[]): Finding[] {
  const services = policyChecks(view)
    .map(({ service }) => service.endpoint)
    .filter((endpoint) => !isOwn(endpoint, own, view))
    .filter((endpoint) => greylisterPort.test(endpoint) || greylisterName.test(endpoint));
  return [
    ...services.map(greylisterService),
    ...wordsOf(view.value('smtpd_milters')).flatMap(greylisterMilter),
  ];
}

/** postscreen's tests that a client passes only by coming back (POSTSCREEN_README, deep protocol tests). */
function deepTests(configuration: Configuration): Finding[] {
  const { services } = configuration;
  const service = services.find(({ command }) => command === 'postscreen');
  if (services.length > 0 && !service) return [];
  const view = viewOf(configuration, service);
  const tests = ['pipelining', 'non_smtp_command', 'bare_newline']
    .map((name) => `postscreen_${name}_enable`)
    .filter((name) => view.isOn(name));
  if (tests.length === 0) return [];
  return [
    {
      check: second,
      severity: 'warning',
      what: `postscreen makes deep protocol tests: ${tests.join(', ')}`,
      why: 'Each defers a new client’s first mail, whatever comes of it: mail waits twice.',
      remedy: `${tests.map((name) => `postconf -e ${name}=no`).join('; ')}; then postfix reload`,
    },
  ];
}

/** Everything else that defers mail until it comes back. */
export function greylisters(configuration: Configuration, view: View, own: readonly string[]): Finding[] {
  const findings = [...otherGreylisters(view, own), ...deepTests(configuration)];
  return findings.some(({ severity }) => severity !== 'note')
    ? findings
    : [ok(second, 'nothing else in the chain is known to greylist'), ...findings];
}

/** What the file system says of a unix socket, as Postfix's user sees it. */
export type SocketState = 'usable' | 'missing' | 'not a socket' | 'forbidden' | 'unknown';

const socketCheck = 'unix socket';

function outsideChroot(path: string, queue: string): Finding {
  const inside = path.startsWith(`${queue}/`) ? path.slice(queue.length + 1) : 'private/greyctl';
  return {
    check: socketCheck,
    severity: 'problem',
    what: `smtpd runs in a chroot below ${queue}, where it does not find ${path}`,
    why: 'Inside the chroot paths begin at the queue directory; Postfix takes the default action.',
    remedy: `write unix:${inside} in main.cf, and greyctl serve --unix=${queue}/${inside}; then postfix reload`,
  };
}

function unusable(what: string, remedy: string): Finding {
  const why = 'Postfix takes the default action: it must find the socket, and be allowed to write it.';
  return { check: socketCheck, severity: 'problem', what, why, remedy };
}

/** Does a chrooted smtpd find the socket, and may it connect? `stateOf` is asked for an absolute path. */
export function unixSocket(
  { service }: PolicyCheck,
  view: View,
  taker: Service | undefined,
  stateOf: (path: string) => SocketState,
): Finding[] {
  const path = /^unix:(.*)$/.exec(service.endpoint)?.[1];
  if (path === undefined) return [];
  const queue = view.value('queue_directory');
  const isAbsolute = path.startsWith('/');
  if (isAbsolute && taker?.isChrooted) return [outsideChroot(path, queue)];
  const full = isAbsolute ? path : `${queue}/${path}`;
  const user = view.value('mail_owner');
  switch (stateOf(full)) {
    case 'usable':
      return [ok(socketCheck, `${user} may connect to ${full}`)];
    case 'unknown':
      return [];
    case 'missing':
      return [unusable(`there is no ${full}`, `greyctl serve --unix=${full}`)];
    case 'not a socket':
      return [unusable(`${full} is no socket`, `remove it; greyctl serve --unix=${full}`)];
    case 'forbidden':
      return [
        unusable(
          `the user ${user} may not connect to ${full}`,
          'greyctl serve --socketmode=0666, in a folder that Postfix may search, such as its private',
        ),
      ];
  }
}
