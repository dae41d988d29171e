import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** A certificate authority in a folder, for tests: PEM files made by the openssl of this machine. */
export class TestAuthority {
  readonly caFile: string;
  readonly #keyFile: string;

  constructor(
    private readonly folder: string,
    name = 'test authority',
  ) {
    this.caFile = join(folder, `${slug(name)}.pem`);
    this.#keyFile = join(folder, `${slug(name)}.key`);
    openssl(
      'req',
      '-x509',
      ...NEW_KEY,
      '-keyout',
      this.#keyFile,
      '-out',
      this.caFile,
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
    );
  }

  /** A certificate for the host, which also serves as a client's. */
  issue(commonName: string, files = commonName, host = '127.0.0.1'): { certFile: string; keyFile: string } {
    const certFile = join(this.folder, `${slug(files)}.pem`);
    const keyFile = join(this.folder, `${slug(files)}.key`);
    const subjectAltName = /^[\d.]+$/.test(host) ? `IP:${host}` : `DNS:${host}`;
    openssl(
      'req', '-x509', ...NEW_KEY, '-keyout', keyFile, '-out', certFile, '-days', '2', '-subj', `/CN=${commonName}`,
      '-CA', this.caFile, '-CAkey', this.#keyFile, '-addext', `subjectAltName=${subjectAltName}`,
    ); // prettier-ignore
    return { certFile, keyFile };
  }

  /** A certificate whose last day was yesterday. */
  issueExpired(commonName: string): { certFile: string; keyFile: string } {
    const certFile = join(this.folder, `${slug(commonName)}.pem`);
    const keyFile = join(this.folder, `${slug(commonName)}.key`);
    const request = join(this.folder, `${slug(commonName)}.csr`);
    openssl('req', '-new', ...NEW_KEY, '-keyout', keyFile, '-out', request, '-subj', `/CN=${commonName}`);
    openssl(
      'x509', '-req', '-in', request, '-CA', this.caFile, '-CAkey', this.#keyFile, '-CAcreateserial', '-days', '-1',
      '-out', certFile,
    ); // prettier-ignore
    return { certFile, keyFile };
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
const slug = (name: string) => name.replace(/[^\w]+/g, '-');
const openssl = (...words: string[]) => void execFileSync('openssl', words, { stdio: 'pipe' });
