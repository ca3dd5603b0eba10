/** `greyctl doctor` beside a real Postfix that asks a real server. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from '../support/greyctl.js';
import { postfix } from '../support/postfix.js';
import { needsRoot } from '../support/programs.js';
import { testServer } from '../support/server.js';

test(
  'doctor finds all well where it is, and what was put in the wrong order',
  needsRoot('postfix'),
  async (t) => {
    const server = await testServer(t);
    const policy = `check_policy_service { ${server.endpoint}, timeout=10s, default_action=DUNNO }`;
    const before =
      'permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination, reject_unlisted_recipient';
    const mta = await postfix({ recipientRestrictions: `${before}, ${policy}` });
    t.after(() => mta.stop());
    const doctor = () =>
      run(['doctor', `--inet=${server.endpoint.replace('inet:', '')}`, `--db=${server.db}`], {
        env: { MAIL_CONFIG: mta.configFolder },
      });
    const well = await doctor();
    assert.deepEqual([well.status, well.stderr], [0, '']);
    assert.doesNotMatch(well.stdout, /^(note|warning|problem)/m);
    assert.match(well.stdout, /\nAll is well\.\n$/);

    await mta.reconfigure({
      recipientRestrictions: `${policy}, ${before}`,
      extra: { smtpd_relay_restrictions: '' },
    });
    const wrong = await doctor();
    assert.equal(wrong.status, 3);
    assert.match(wrong.stdout, /^warning {2}order: nothing refuses mail for foreign domains before/m);

    await server.stop();
    const silent = await doctor();
    assert.match(
      silent.stdout,
      /^problem {2}server: nothing answers at inet:127\.0\.0\.1:\d+: connection refused$/m,
    );
  },
);
