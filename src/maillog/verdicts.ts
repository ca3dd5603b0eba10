/** A policy server's lines and refusals to attempts: what the two tell of the same RCPT command is one attempt. */
import type { Logged } from './attempts.js';
import { countRefusal } from './counts.js';
import type { PolicyEvent, RefusalEvent } from './events.js';
import { detached, readable } from './fields.js';
import { isGreylisting, replyCodes } from './greylisting.js';
import { addAttempt, clientOf, dropMessage, type Joining } from './joining.js';

/** A policy server's line is the attempt itself. */
export function onPolicy(joining: Joining, event: PolicyEvent, time: number): void {
  joining.counts.policyLines += 1;
  const client = clientOf(joining, event.clientAddress);
  if (!client) {
    joining.counts.unaddressed += 1;
    return;
  }
  if (client.isLocal) {
    joining.counts.local += 1;
    return;
  }
  const logged: Logged = event.verdict === 'pass' ? 'accepted' : 'greylisted';
  const { recipient, sender, queueId } = event;
  const policyReason = readable(event.reason);
  const held = joining.pairing.policy(logged, client.text, recipient, time, queueId === '');
  if (held) {
    held.value = { ...held.value, evidence: 'policy', policyReason };
  } else {
    const opening = { time, line: joining.line, client, clientName: event.clientName };
    addAttempt(joining, opening, { sender, recipient, queueId, logged, evidence: 'policy', policyReason });
  }
  const message = queueId === '' ? undefined : joining.open.get(queueId);
  if (typeof message === 'object') {
    message.settled = true;
    joining.open.set(detached(queueId), 'excluded');
  }
}

function refusalClass(event: RefusalEvent): string {
  const codes = replyCodes(event.reply) || 'without code';
  return event.by === 'smtpd' ? codes : `${event.by} ${codes}`;
}

/** A greylisting refusal that no policy server's line has told. */
function onDeferral(joining: Joining, event: RefusalEvent, time: number): void {
  const { sender, recipient, queueId } = event;
  const client = clientOf(joining, event.clientAddress);
  if (event.authenticated) joining.counts.authenticated += 1;
  else if (!client) joining.counts.unaddressed += 1;
  else if (client.isLocal) joining.counts.local += 1;
  else if (sender === undefined || recipient === undefined) joining.counts.unnamedDeferrals += 1;
  else if (!joining.pairing.isTold('greylisted', client.text, recipient, time)) {
    addAttempt(
      joining,
      { time, line: joining.line, client, clientName: event.clientName },
      {
        sender,
        recipient,
        queueId,
        logged: 'greylisted',
        evidence: 'smtpd',
      },
    );
  }
}

/** A greylisting refusal is an attempt, unless a policy server has told it; others are counted. */
export function onRefusal(joining: Joining, event: RefusalEvent, time: number): void {
  if (isGreylisting(event.reply, event.by === 'milter', joining.greylistPattern)) {
    onDeferral(joining, event, time);
  } else {
    countRefusal(joining.counts, refusalClass(event), () => readable(event.reply.slice(0, 100)));
  }
  if (event.by === 'proxy') joining.sessionsOfProcess.take(event.processId);
  // After RCPT the whole message is refused.
  const whole = event.stage !== 'RCPT' && event.stage !== 'VRFY' && event.stage !== 'MAIL';
  if (whole && event.queueId !== 'NOQUEUE') dropMessage(joining, event.queueId);
}
