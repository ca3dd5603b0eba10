import type { PreparedAttempt } from '../greylist/decide.js';
import { keyed } from '../greylist/decide.js';
import type { Settings } from '../greylist/settings.js';
import type { Match } from '../whitelist/matcher.js';
import type { Attempt } from '../greylist/attempt.js';
import { actionLine } from '../policy/logline.js';
import type { PolicyRequest } from '../policy/parser.js';
import { printable } from '../greylist/printable.js';
import { isProbe, probeAnswer } from '../policy/probe.js';
import { replyAction, type ReplyTexts } from '../policy/reply.js';
import { clientText, interpret } from '../policy/request.js';
import { createInstances } from './instances.js';
import type { Log, Warn } from './log.js';
import type { Settler } from './settler.js';

export interface AnswererOptions {
  readonly settings: Settings;
  readonly texts: ReplyTexts;
  readonly greylistAuthenticated: boolean;
  /** Decide, learn and log, but let everything pass. */
  readonly dryRun: boolean;
  /** The registrable domain of a verified name; only given where the client key is `domain`. */
  readonly domainOf?: (name: string) => string | undefined;
}

/** What an answerer works with; `now` gives epoch seconds. */
export interface AnswererParts {
  readonly settler: Settler;
  readonly match: (attempt: Attempt, now: number) => Match | undefined;
  readonly log: Log;
  readonly warn: Warn;
  readonly now: () => number;
}

function prepared(attempt: Attempt, match: Match | undefined, settings: Settings): PreparedAttempt {
  if (!match) return keyed(attempt, settings);
  const { origin } = match.entry;
  return {
    time: attempt.time,
    exemption: match.exemption,
    ...('store' in origin && { listedId: origin.store }),
  };
}

function crowdWarning(
  reason: 'too many from client' | 'too many waiting',
  attempt: PreparedAttempt,
  settings: Settings,
): string {
  if (reason === 'too many waiting')
    return `${settings.maxWaiting} triplets wait (--max-waiting): new ones pass and are not remembered`;
  const client = attempt.exemption === undefined ? printable(attempt.triplet.client) : '';
  return `${settings.maxWaitingPerClient} triplets of ${client} wait (--max-waiting-per-client): new ones of it are deferred and not remembered`;
}

/** From what Postfix asked to the action that goes back; rejects with a ProtocolError for other requests. */
export type Answerer = (request: PolicyRequest) => Promise<string>;

/** Puts together what answers requests one by one. */
export function createAnswerer(options: AnswererOptions, parts: AnswererParts): Answerer {
  const isNewInstance = createInstances();
  return async (request) => {
    if (isProbe(request)) return probeAnswer(options.texts.version);
    const now = parts.now();
    const asked = interpret(request, now, options);
    if ('warning' in asked) parts.warn('request', asked.warning);
    const attempt: PreparedAttempt =
      'attempt' in asked
        ? prepared(asked.attempt, parts.match(asked.attempt, now), options.settings)
        : { time: now, exemption: asked.exemption };
    const decision = await parts.settler.settle(attempt);
    if (decision.reason === 'too many from client' || decision.reason === 'too many waiting')
      parts.warn(decision.reason, crowdWarning(decision.reason, attempt, options.settings));
    const isNewMessage = decision.delaySeconds !== undefined && isNewInstance(request.instance);
    parts.log('info', actionLine(decision, request, isNewMessage));
    if (decision.joinedAwl) {
      parts.log('notice', `whitelisted: ${printable(request.client_name ?? '')}[${clientText(request)}]`);
    }
    return options.dryRun ? 'DUNNO' : replyAction(decision, request, options.texts, now, isNewMessage);
  };
}
