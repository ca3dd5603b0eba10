/** An authority of a test's own, and a certificate of it for this host. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

export interface Certificates {
  /** PEM files. */
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** Makes them in `folder` with openssl(1). */
export function certificatesIn(folder: string): Certificates {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=site', '-days', '2');
  openssl('req', ...key, '-keyout', 'redis.key', '-out', 'redis.csr', '-subj', '/CN=redis');
  writeFileSync(`${folder}/ext`, 'subjectAltName=IP:127.0.0.1\n');
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'ext'];
  openssl('x509', '-req', '-in', 'redis.csr', ...signed, '-out', 'redis.pem');
  return {
    authority: `${folder}/ca.pem`,
    certificate: `${folder}/redis.pem`,
    key: `${folder}/redis.key`,
  };
}
