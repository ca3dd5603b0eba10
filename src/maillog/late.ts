/**
 * Passes that a policy server logged behind the beginning of their message. Which of a client's messages such a line belongs to,
 * only the recipient can tell, maybe hours later: the messages of one moment share what came behind them, and so do those that begin
 * while a policy server's line may still be theirs.
 *
 * Known gap: where a copy (always_bcc) is delivered before the recipient that tells, it is an attempt of its own.
 */
import { detached } from './fields.js';
import { createLately, isBefore, pairedWithinSeconds } from './lately.js';
import { createRecent } from './recent.js';

/** What came behind the messages of one client at one moment. */
interface LatePasses {
  readonly time: number;
  /** In lower case. */
  readonly recipients: Set<string>;
}

/** A message that no line of a policy server was found for when it was begun. */
export interface Unclaimed {
  readonly time: number;
  readonly client: { readonly text: string };
  /** Undefined when nothing came behind it. */
  late?: LatePasses[] | undefined;
}

export interface Latecomers {
  /** A message begins at the log's time `now`. */
  readonly begun: (message: Unclaimed, now: number) => void;
  /** A pass came: false when no message waits for it. */
  readonly pass: (client: string, recipient: string, time: number) => boolean;
}

/** True when a pass of this recipient, in lower case, came behind the message. */
export function cameLate(message: Unclaimed, recipient: string): boolean {
  return message.late?.some(({ recipients }) => recipients.has(recipient)) ?? false;
}

/** Makes a memory of the messages of the last moments. */
export function createLatecomers(): Latecomers {
  const messages = createLately<Unclaimed>(({ client }) => client.text);
  /** The latest of each client. */
  const latest = createRecent<LatePasses>(pairedWithinSeconds);

  return {
    begun: (message, now) => {
      messages.add(message, now);
      latest.advance(now);
      if (latest.isEmpty()) return;
      // Other messages of the client may have been told what is of this one.
      const passes = latest.get(message.client.text);
      if (passes && now - passes.time <= pairedWithinSeconds) message.late ??= [passes];
    },
    pass: (client, recipient, time) => {
      if (messages.isEmpty()) return false;
      const list = messages.get(client, time);
      while (list[0] && isBefore(list[0].time, time)) list.shift();
      const [oldest] = list;
      if (!oldest) return false;
      // Those at the end have come since the last pass.
      let passes = oldest.late?.at(-1);
      if (!passes || isBefore(passes.time, time)) {
        passes = { time, recipients: new Set() };
        for (const message of list) (message.late ??= []).push(passes);
      }
      for (let last = list.length - 1, message = list[last]; message && !message.late; message = list[last]) {
        message.late = [passes];
        last -= 1;
      }
      passes.recipients.add(detached(recipient.toLowerCase()));
      latest.set(detached(client), passes);
      return true;
    },
  };
}
