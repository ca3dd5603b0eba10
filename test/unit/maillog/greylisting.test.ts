import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isGreylisting, replyCodes } from '#src/maillog/greylisting.js';

test('the wordings of known greylisters are greylisting', () => {
  for (const reply of [
    '450 4.2.0 <b@r.example>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/r.example.html',
    '450 4.2.0 <a@s.example>: Sender address rejected: Greylisted, see http://postgrey.schweikert.ch/help/r.example.html',
    '450 4.7.1 <mx.s.example[192.0.2.1]>: Client host rejected: Greylisted for 5 minutes',
    '450 <b@r.example>: Recipient address rejected: Greylisted for 300 seconds (see http://isg.ee.ethz.ch/tools/postgrey/help/)',
    '450 4.2.0 <b@r.example>: Recipient address rejected: Delayed by postgrey',
    '450 4.2.0 <b@r.example>: Recipient address rejected: Delayed by Postgrey;',
    '451 4.7.1 Greylisting in action, please come back in 00:05:00',
    '451 4.7.1 Please try again later. Session Greylisted with mx.r.example',
    '450 4.7.1 <b@r.example>: Recipient address rejected: Service temporarily unavailable; greylisted for 60 secs',
    '450 4.7.1 <b@r.example>: Recipient address rejected: Policy Rejection- Greylisted for 60 sec. Please try later.',
    '450 4.3.0 Greylisting active, please try again later',
    '451 4.7.1 <DATA>: Data command rejected: Aborted, Graylisted !',
    '450 4.7.1 <b@r.example>: Recipient address rejected: grey-listed',
  ])
    assert.equal(isGreylisting(reply, false), true, reply);
});

test('other temporary refusals are not, whatever the addresses in them say', () => {
  for (const reply of [
    '450 4.1.8 <postgrey@greylist.example>: Sender address rejected: Domain not found',
    '450 4.1.8 <a@s.example>: Sender address rejected: Greylisted',
    '450 4.7.1 <greylist.example>: Helo command rejected: Host not found',
    '450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]',
    '451 4.3.5 <b@r.example>: Recipient address rejected: Server configuration problem',
    '450 4.3.2 Service currently unavailable',
    '450 4.7.1 <greylist@r.example>: Recipient address rejected: Access denied',
    '450 4.7.1 Service unavailable; Client host [192.0.2.1] blocked using greylist.rbl.example; try later',
    '451 4.7.1 Service unavailable - try again later',
    '451 4.7.1 Try again later',
    '554 5.7.1 <b@r.example>: Recipient address rejected: Greylisted for ever',
    '550 5.1.1 <greylist@r.example>: Recipient address rejected: User unknown',
    'Greylisted',
    '4',
    '',
  ])
    assert.equal(isGreylisting(reply, false), false, reply);
});

test('milters that say nothing but to try again later are greylisting', () => {
  assert.equal(isGreylisting('451 4.7.1 Try again later', true), true);
  assert.equal(isGreylisting('4.7.1 Try again later', true), true);
  assert.equal(isGreylisting('4.7.1 Service unavailable - try again later', true), false);
  assert.equal(isGreylisting('5.7.1 Try again later', true), false);
});

test('a pattern of the operator adds wordings, but a permanent refusal stays one', () => {
  const pattern = /come back tomorrow/;
  assert.equal(isGreylisting('451 4.3.0 <b@r.example>: come back tomorrow', false, pattern), true);
  assert.equal(isGreylisting('554 5.3.0 <b@r.example>: come back tomorrow', false, pattern), false);
  assert.equal(isGreylisting('451 4.3.0 <b@r.example>: come back', false, pattern), false);
});

test('reply codes are basic, enhanced, or both', () => {
  const codes: Record<string, string> = {
    '450 4.2.0 text': '450 4.2.0',
    '554 5.7.1': '554 5.7.1',
    '450 <a@b>: text': '450',
    '450': '450',
    '4.7.1 text': '4.7.1',
    '450 4.7 text': '450',
    '450 4.2.0<': '450',
    '45 text': '',
    '4500 text': '',
    'text 450': '',
    '1.2 3': '',
    '': '',
  };
  for (const [reply, expected] of Object.entries(codes)) assert.equal(replyCodes(reply), expected, reply);
});
