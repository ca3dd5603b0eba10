/** A small SMTP client (RFC 5321) that reads like a transcript: a command, the reply it must get. */
import { converse } from './conversation.js';
import { stepMilliseconds } from './deadline.js';

export interface Reply {
  readonly code: number;
  /** All lines without code and mark, joined by LF. */
  readonly text: string;
}

export interface SmtpClient {
  /** Sends a command and resolves to its reply, whatever it is. */
  command(line: string): Promise<Reply>;
  /** Sends a command whose reply must have this code; resolves to the reply's text. */
  expect(line: string, code: number): Promise<string>;
  /** XCLIENT (Postfix XCLIENT_README) with `NAME=… ADDR=…`, an IPv6 address as `IPV6:…`, and a new EHLO. */
  xclient(attributes: Readonly<Record<string, string>>): Promise<void>;
  /** DATA with the given header and body lines; resolves to the final reply. */
  data(lines: readonly string[]): Promise<Reply>;
  /** QUIT, and waits for the close. */
  quit(): Promise<void>;
  close(): void;
}

/** Connects to 127.0.0.1, reads the greeting and sends EHLO; the caller quits or closes. */
export async function smtp(port: number, helo = 'mail.example.com'): Promise<SmtpClient> {
  // A policy server that does not answer keeps Postfix waiting for its own deadline and retries first.
  const peer = await converse(`inet:127.0.0.1:${port}`, 6 * stepMilliseconds);
  const reply = async (after: string): Promise<Reply> => {
    const lines = (await peer.expect(/^\d{3}(?: [^\n]*)?\n/m, `reply to ${after}`)).trimEnd().split(/\r?\n/);
    return { code: Number(lines.at(-1)?.slice(0, 3)), text: lines.map((line) => line.slice(4)).join('\n') };
  };
  const must = async (after: string, code: number, pending: Promise<Reply>) => {
    const got = await pending;
    if (got.code !== code) throw new Error(`${after} got ${got.code} ${got.text}, wanted ${code}`);
    return got.text;
  };
  const command = (line: string) => {
    peer.send(`${line}\r\n`);
    return reply(line);
  };
  const expect = (line: string, code: number) => must(line, code, command(line));

  await must('connecting', 220, reply('connecting'));
  await expect(`EHLO ${helo}`, 250);
  return {
    command,
    expect,
    async xclient(attributes) {
      const words = Object.entries(attributes).map(([name, value]) => `${name}=${value}`);
      await expect(`XCLIENT ${words.join(' ')}`, 220);
      await expect(`EHLO ${helo}`, 250);
    },
    async data(lines) {
      await expect('DATA', 354);
      return command([...lines.map((line) => line.replace(/^\./, '..')), '.'].join('\r\n'));
    },
    async quit() {
      await expect('QUIT', 221);
      await peer.expectClosed();
    },
    close: peer.close,
  };
}
