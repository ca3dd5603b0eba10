/** Senders, clients and recipients as they stand in mail logs: made up, of the usual kinds and lengths. */
import type { random } from '../support/random.js';

/** Who writes to whom, and from where. */
export interface Correspondence {
  readonly clientName: string;
  readonly clientAddress: string;
  readonly helo: string;
  /** Empty for the null sender. */
  readonly sender: string;
  readonly recipient: string;
}

type Dice = ReturnType<typeof random>;

const syllables = [
  'ba',
  'kel',
  'mo',
  'tri',
  'san',
  'lu',
  'ver',
  'no',
  'qui',
  'dar',
  'fen',
  'sol',
  'pra',
] as const;
const endings = ['example', 'com.example', 'net.example', 'co.example', 'de.example'] as const;
const people = [
  'anna',
  'info',
  'office',
  'j.miller',
  'support',
  'maria.santos',
  'sales',
  'it-service',
] as const;
const recipientDomains = ['example.org', 'mail.example.org', 'example.net'] as const;

function word(dice: Dice, length: number): string {
  return Array.from({ length }, () => dice.oneOf(syllables)).join('');
}

function domainOf(dice: Dice): string {
  return `${word(dice, 2 + dice.pick(3))}.${dice.oneOf(endings)}`;
}

function addressOf(dice: Dice): string {
  if (dice.pick(12) === 0) {
    const group = () => (1 + dice.pick(0xffff)).toString(16);
    return `2001:db8:${group()}:${group()}::${group()}`;
  }
  return [11 + dice.pick(100), dice.pick(256), dice.pick(256), 1 + dice.pick(254)].join('.');
}

/** A client with a name that tells nothing, with one that holds its address, or with none. */
function clientOf(dice: Dice, address: string, domain: string): Pick<Correspondence, 'clientName' | 'helo'> {
  const kind = dice.pick(10);
  if (kind < 3) return { clientName: 'unknown', helo: `${word(dice, 2)}-pc` };
  if (kind < 5) {
    const name = `${address.replace(/[.:]+/g, '-')}.dsl.dyn.${domain}`;
    return { clientName: name, helo: dice.pick(2) === 0 ? name : `[${address}]` };
  }
  const name = `mail-${word(dice, 1)}${1 + dice.pick(40)}.${domain}`;
  return { clientName: name, helo: name };
}

function senderOf(dice: Dice, domain: string): string {
  const kind = dice.pick(20);
  if (kind === 0) return '';
  if (kind < 4) return `bounces+${dice.pick(1_000_000)}-${word(dice, 2)}=example.org@em.${domain}`;
  return `${dice.oneOf(people)}${kind < 12 ? `.${word(dice, 2)}` : ''}@${domain}`;
}

/** Makes strangers who write to one of some hundred mailboxes. */
export function createStrangers(dice: Dice): () => Correspondence {
  return () => {
    const clientAddress = addressOf(dice);
    const domain = domainOf(dice);
    return {
      clientAddress,
      ...clientOf(dice, clientAddress, domain),
      sender: senderOf(dice, domain),
      recipient: `${dice.oneOf(people)}.${dice.pick(60)}@${dice.oneOf(recipientDomains)}`,
    };
  };
}
