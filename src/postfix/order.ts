/** What must be asked before greylisting is, and the ways in which a server becomes an open relay. */
import type { View } from './configuration.js';
import { ok, type Finding } from './finding.js';
import { beforeAcceptance, relayComesFirst, type Restriction } from './restrictions.js';
import type { PolicyCheck } from './wiring.js';

const refusesForeign = new Set(['reject_unauth_destination', 'defer_unauth_destination', 'reject', 'defer']);

/** postconf(5): one of these must be in the lists, or smtpd refuses to work. */
const guards = new Set([...refusesForeign, 'defer_if_permit']);

/** Tables that ask for what a stranger may say as he likes. */
const forgeable = new Set(['check_sender_access', 'check_helo_access']);

function afterRelayCheck({ restriction, earlier }: PolicyCheck, view: View): Finding {
  const check = 'order';
  const guard = earlier.find(({ name, isWarning }) => refusesForeign.has(name) && !isWarning);
  if (guard) return ok(check, `${guard.name} comes before the policy check`);
  const isLater = beforeAcceptance(view).some(
    ({ list, name }) => list === 'smtpd_relay_restrictions' && refusesForeign.has(name),
  );
  return {
    check,
    severity: 'warning',
    what: `nothing refuses mail for foreign domains before ${restriction.list} asks this server`,
    why: 'Attempts to relay are told to come back instead of no, and fill the database.',
    remedy:
      isLater && !relayComesFirst(view)
        ? 'postconf -e smtpd_relay_before_recipient_restrictions=yes; then postfix reload'
        : `put reject_unauth_destination before check_policy_service in ${restriction.list}; then postfix reload`,
  };
}

function afterUnlisted({ earlier }: PolicyCheck): Finding {
  const check = 'order';
  if (earlier.some(({ name }) => name === 'reject_unlisted_recipient'))
    return ok(check, 'reject_unlisted_recipient comes before the policy check');
  return {
    check,
    severity: 'note',
    what: 'reject_unlisted_recipient does not come before the policy check',
    why: 'Mail to users that do not exist is first greylisted, then refused: the database remembers more.',
    remedy: 'put reject_unlisted_recipient before check_policy_service; then postfix reload',
  };
}

/** Own networks and users that logged in should have left the list before greylisting is asked. */
function afterPermits({ restriction, earlier }: PolicyCheck, view: View, greylistsUsers: boolean): Finding[] {
  const check = 'order';
  const inList = new Set(earlier.filter(({ list }) => list === restriction.list).map(({ name }) => name));
  const findings: Finding[] = [];
  if (inList.has('permit_mynetworks'))
    findings.push(ok(check, 'permit_mynetworks comes before the policy check'));
  else {
    findings.push({
      check,
      severity: 'warning',
      what: `permit_mynetworks does not come before the policy check in ${restriction.list}`,
      why: 'Mail of your own hosts is greylisted.',
      remedy: `put permit_mynetworks first in ${restriction.list}; then postfix reload`,
    });
  }
  if (inList.has('permit_sasl_authenticated'))
    findings.push(ok(check, 'permit_sasl_authenticated comes before the policy check'));
  else if (view.isOn('smtpd_sasl_auth_enable')) {
    findings.push({
      check,
      severity: greylistsUsers ? 'warning' : 'note',
      what: `permit_sasl_authenticated does not come before the policy check in ${restriction.list}`,
      why: greylistsUsers
        ? 'With --greylist-authenticated, mail of users that logged in is greylisted.'
        : 'This server lets users that logged in pass, but is asked for each of their recipients.',
      remedy: `put permit_sasl_authenticated before check_policy_service in ${restriction.list}; then postfix reload`,
    });
  }
  return findings;
}

/** What has to be asked before this server. */
export function order(found: PolicyCheck, view: View, greylistsUsers: boolean): Finding[] {
  return [afterRelayCheck(found, view), afterUnlisted(found), ...afterPermits(found, view, greylistsUsers)];
}

interface Guard {
  /** What stands before the guard in its list. */
  readonly before: readonly Restriction[];
}

/** The guards that a stranger's mail reaches: a `permit` before one ends the list. */
function reachedGuards(all: readonly Restriction[]): Guard[] {
  return all.flatMap((restriction, index) => {
    if (!guards.has(restriction.name) || restriction.isWarning) return [];
    const before = all.slice(0, index).filter(({ list }) => list === restriction.list);
    return before.some(({ name }) => name === 'permit') ? [] : [{ before }];
  });
}

const check = 'relaying';
const remedy =
  'postconf -e "smtpd_relay_restrictions=permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination"; then postfix reload';

/** mynetworks that is the whole world. */
function worldIsOwn(view: View): Finding | undefined {
  const networks = view.value('mynetworks').split(/[\s,]+/);
  const world = networks.find((network) => /^(0\.0\.0\.0|\[?::\]?)\/0$/.test(network));
  if (world === undefined) return undefined;
  return {
    check,
    severity: 'problem',
    what: `mynetworks holds ${world}: this is an open relay`,
    why: 'Everybody is permitted as if from an own network: nothing is greylisted, and spam goes out through this server.',
    remedy: 'postconf -e "mynetworks=127.0.0.0/8 [::1]/128", and your own networks; then postfix reload',
  };
}

/** Can strangers send mail to other strangers? */
export function relaying(view: View): Finding {
  const world = worldIsOwn(view);
  if (world) return world;
  const reached = reachedGuards(beforeAcceptance(view));
  if (reached.length === 0) {
    return {
      check,
      severity: 'problem',
      what: 'nothing refuses mail for foreign domains: this is an open relay',
      why: 'A permit comes before reject_unauth_destination, or it is in no list: spam goes out through this server.',
      remedy,
    };
  }
  const openings = reached.map(({ before }) => before.find(({ name }) => forgeable.has(name)));
  const opening = openings.every((found) => found) ? openings[0] : undefined;
  if (!opening) return ok(check, 'strangers cannot send to foreign domains');
  return {
    check,
    severity: 'warning',
    what: `${opening.name} ${opening.argument} comes before reject_unauth_destination`,
    why: 'Senders and HELO names are easily forged: an OK in this table makes an open relay.',
    remedy,
  };
}
