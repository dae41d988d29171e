import { createSecureContext } from 'node:tls';
import { ReloadedFiles, silentLogger } from '@bbdistill/common';
import type { Clock } from '@bbdistill/common';
import { Agent } from 'undici';
import type { TlsConfig } from '../registry.js';

type Contents = { ca?: Buffer; cert?: Buffer; key?: Buffer };

/** Connections to a teacher by its own authority and certificate; renewed files count for those that come after. */
export class TlsConnections {
  readonly #files: ReloadedFiles<Contents>;
  #agent: Agent;

  /** @throws ConfigError where a file can't be read, or key and certificate don't belong together */
  constructor({ caFile, certFile, keyFile, serverName }: TlsConfig, clock: Clock) {
    this.#files = new ReloadedFiles<Contents>({
      what: 'TLS files of the teacher',
      paths: [caFile, certFile, keyFile].filter((path) => path !== undefined),
      parse: (contents) => {
        const left = [...contents];
        const ca = caFile === undefined ? {} : { ca: left.shift()! };
        const [cert, key] = left;
        const files = { ...ca, ...(cert && key && { cert, key }) };
        createSecureContext(files);
        return files;
      },
      clock,
      logger: silentLogger,
    });
    const agentOf = (contents: Contents) =>
      new Agent({ connect: { ...contents, ...(serverName !== undefined && { servername: serverName }) } });
    this.#agent = agentOf(this.#files.value);
    this.#files.onChange((contents) => {
      // Calls under way end on the connections that they have.
      void this.#agent.close();
      this.#agent = agentOf(contents);
    });
  }

  get agent(): Agent {
    return this.#agent;
  }

  async close(): Promise<void> {
    await this.#files.close();
    await this.#agent.close();
  }
}

const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/expired/i, 'its certificate has expired: whoever runs the teacher has to renew it'],
  [/not yet valid/i, 'its certificate is not valid yet: look at the clock of this machine'],
  [
    /altname|hostname|does not match/i,
    'its certificate is for another host: call it by a name in the certificate, or set tls.serverName',
  ],
  [
    /certificate required|bad certificate|unknown ca|alert (number )?(42|46|48|116)/i,
    'it wants a certificate that it trusts from its callers: set tls.certFile and tls.keyFile',
  ],
  [/wrong version|packet length|EPROTO|http request/i, 'what answers there speaks no TLS: set url without the s'],
  [
    /self.signed|unable to (get|verify)|issuer|authority|verify the first/i,
    'an authority that is not known here signed its certificate: set tls.caFile to the certificate of that authority',
  ],
];

/** What to do about a connection that TLS refused. */
export function tlsAdvice(reason: string): string {
  return ADVICE.find(([pattern]) => pattern.test(reason))?.[1] ?? 'look at the tls settings of the teacher';
}

/** Whether the words of an error are of TLS. */
export function isTlsReason(reason: string): boolean {
  return /certificate|altname|self.signed|\bssl\b|\btls|EPROTO|ERR_SSL|wrong version number/i.test(reason);
}
