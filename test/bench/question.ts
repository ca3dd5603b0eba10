/**
 * The bytes of policy requests by number: a full-size request is made once, and for each question a client address, a sender
 * and an instance are written over those in it. Different numbers are different triplets, in no order that an index could profit from.
 */
import { encode, request } from '../support/policy-client.js';

/** 4 bits each. None is a digit or a hexadecimal one: no greylister takes them for something that changes from mail to mail. */
const letters = Buffer.from('ghijklmnopqrstuv');
/** 7 bits each, of one length. */
const octets = Array.from({ length: 128 }, (_, value) => Buffer.from(String(100 + value)));

const blank = { client_address: '100.100.100.100', name: 'gggggggg' } as const;

function template(): Buffer {
  const changes = {
    client_address: blank.client_address,
    sender: `${blank.name}@news.example.com`,
    instance: `2f3a.${blank.name}.5b1d2.0`,
  };
  return Buffer.from(encode(request(changes)));
}

export interface Question {
  /** What to send; the same memory all the time. */
  readonly bytes: Buffer;
  /** Makes it the request of a number below 2³². */
  readonly become: (number: number) => void;
}

export interface Asked {
  readonly clientAddress: string;
  readonly sender: string;
  readonly recipient: string;
}

function scrambled(number: number): number {
  // Odd, so no two numbers below 2³² become the same.
  return Math.imul(number, 0x9e3779b1) >>> 0;
}

export function createQuestion(): Question {
  const bytes = template();
  const address = bytes.indexOf(blank.client_address);
  const sender = bytes.indexOf(blank.name);
  const instance = bytes.indexOf(blank.name, sender + 1);
  return {
    bytes,
    become: (number) => {
      const bits = scrambled(number);
      for (let place = 0; place < 4; place += 1)
        bytes.set(octets[(bits >>> (25 - 7 * place)) & 127] ?? letters, address + 4 * place);
      for (let place = 0; place < 8; place += 1) {
        const letter = letters[(bits >>> (4 * place)) & 15] ?? 0;
        bytes[sender + place] = letter;
        bytes[instance + place] = letter;
      }
    },
  };
}

/** What the request of a number asks about. */
export function askedBy(number: number): Asked {
  const question = createQuestion();
  question.become(number);
  const text = question.bytes.toString('latin1');
  const value = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? '';
  return { clientAddress: value('client_address'), sender: value('sender'), recipient: value('recipient') };
}
