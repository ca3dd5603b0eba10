/** Where Postfix asks this server, and which of its services take mail from strangers. */
import { viewOf, type Configuration, type Service, type View } from './configuration.js';
import { ok, type Finding } from './finding.js';
import {
  beforeAcceptance,
  elsewhere,
  policyService,
  type PolicyService,
  type Restriction,
} from './restrictions.js';

/** A check_policy_service, and what is asked before it. */
export interface PolicyCheck {
  readonly restriction: Restriction;
  readonly service: PolicyService;
  /** Everything that is gone through earlier, in all lists. */
  readonly earlier: readonly Restriction[];
}

/** True for smtpd on a port where users hand in their mail. */
function isSubmission({ name, command }: Service): boolean {
  return command === 'smtpd' && /^(.*:)?(submissions?|smtps|465|587)$/.test(name);
}

/** The service that takes mail from other servers; undefined where master.cf is not known. */
export function publicService({ services }: Configuration): Service | undefined {
  const takers = services.filter(({ command }) => command === 'smtpd');
  const ports = takers.filter((service) => !isSubmission(service));
  return (
    ports.find(({ name, type }) => type === 'pass' || /^(.*:)?(smtp|25)$/.test(name)) ?? ports[0] ?? takers[0]
  );
}

/** `localhost` and addresses of all interfaces are reached over loopback. */
function canonical(endpoint: string, queueDirectory: string): string {
  const path = /^unix:(.*)$/.exec(endpoint)?.[1];
  if (path !== undefined) return `unix:${path.startsWith('/') ? path : `${queueDirectory}/${path}`}`;
  return endpoint
    .replace(/^inet:(localhost|0\.0\.0\.0):/, 'inet:127.0.0.1:')
    .replace(/^inet:(\d+)$/, 'inet:127.0.0.1:$1')
    .replace('inet:[::]:', 'inet:[::1]:');
}

/** True when Postfix's `endpoint` is one of the server's, which are `inet:HOST:PORT` or `unix:` and an absolute path. */
export function isOwn(endpoint: string, own: readonly string[], view: View): boolean {
  const queueDirectory = view.value('queue_directory');
  const wanted = canonical(endpoint, queueDirectory);
  return own.some((name) => canonical(name, queueDirectory) === wanted);
}

/** The policy services that are asked before a recipient is accepted, in order. */
export function policyChecks(view: View): PolicyCheck[] {
  const all = beforeAcceptance(view);
  return all.flatMap((restriction, index) =>
    restriction.name === 'check_policy_service'
      ? [{ restriction, service: policyService(restriction.argument), earlier: all.slice(0, index) }]
      : [],
  );
}

const check = 'policy check';
const remedy = 'greyctl config postfix prints the lines for main.cf; then postfix reload';

function lateCheck(view: View, own: readonly string[]): Restriction | undefined {
  return elsewhere(view).find(
    ({ name, argument }) =>
      name === 'check_policy_service' && isOwn(policyService(argument).endpoint, own, view),
  );
}

/** Where Postfix asks, when it does not before it accepts a recipient. */
function findingOfLate({ list }: Restriction): Finding {
  if (/^smtpd_\w+_restrictions$/.test(list)) {
    return {
      check,
      severity: 'problem',
      what: `${list} asks this server, when all recipients are known already`,
      why: 'Postfix then names no recipient where there are several, and such mail is never deferred.',
      remedy: 'put check_policy_service at the end of smtpd_recipient_restrictions; then postfix reload',
    };
  }
  return {
    check,
    severity: 'note',
    what: `only the restriction class ${list} asks this server`,
    why: 'Greylisted is what an access table sends to this class; the order cannot be checked here.',
  };
}

/** Does Postfix ask this server at all, and where? */
export function presence(view: View, own: readonly string[], isOfService: boolean): Finding {
  const checks = policyChecks(view);
  const found = checks.find(({ service }) => isOwn(service.endpoint, own, view));
  if (found?.restriction.isWarning) {
    return {
      check,
      severity: 'problem',
      what: `warn_if_reject stands before check_policy_service in ${found.restriction.list}`,
      why: 'Postfix only logs what this server answers: nothing is deferred.',
      remedy: 'remove warn_if_reject, or use greyctl serve --dry-run for a trial; then postfix reload',
    };
  }
  if (found) return ok(check, `${found.restriction.list} asks ${found.service.endpoint}`);
  const late = lateCheck(view, own);
  if (late) return findingOfLate(late);
  const others = checks.map(({ service }) => service.endpoint);
  const instead = others.length > 0 ? `; it asks ${others.join(', ')}` : '';
  return {
    check,
    severity: 'problem',
    what: `Postfix does not ask this server (${own.join(', ')})${instead}`,
    why: isOfService
      ? 'Nothing is greylisted; where main.cf asks, -o in master.cf takes its place.'
      : 'Nothing is greylisted.',
    remedy: others.length > 0 ? `${remedy}; or name where the server listens: --inet, --unix` : remedy,
  };
}

/** Services on which users hand in mail, and would be greylisted. */
export function submissions(configuration: Configuration, own: readonly string[]): Finding[] {
  return configuration.services.filter(isSubmission).flatMap((service) => {
    const view = viewOf(configuration, service);
    const found = policyChecks(view).find((candidate) => isOwn(candidate.service.endpoint, own, view));
    const isSpared =
      !found ||
      found.earlier.some(
        ({ list, name }) => list === found.restriction.list && name === 'permit_sasl_authenticated',
      );
    if (isSpared) return [];
    return [
      {
        check: 'submission',
        severity: 'warning',
        what: `the service ${service.name} asks this server without permit_sasl_authenticated before`,
        why: 'What its users send depends on greylisting; mail programs do not come back by themselves.',
        remedy: `postconf -P "${service.name}/${service.type}/smtpd_recipient_restrictions=permit_sasl_authenticated,reject"; then postfix reload`,
      },
    ];
  });
}
