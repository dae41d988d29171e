import { createSecureContext, rootCertificates } from 'node:tls';
import type { SecureContextOptions } from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import type { Clock } from '../clock.js';
import type { Logger } from '../logger.js';
import { ReloadedFiles } from '../reloaded-files.js';

/** PEM files of a server. */
export interface ServerTlsFiles {
  certFile: string;
  keyFile: string;
  /** Callers must show a certificate that this authority signed. */
  clientCaFile?: string;
}

/** PEM files of a client. */
export interface ClientTlsFiles {
  /** Who signed the servers' certificates. Absent: the authorities that Node knows. */
  caFile?: string;
  /** Shown to servers that ask for it. */
  certFile?: string;
  keyFile?: string;
  /** The name in the servers' certificate, where it is not the host that is called. */
  serverName?: string;
}

/** Looked for by the tests of rotation. */
export interface TlsOptions {
  clock: Clock;
  logger: Logger;
  reloadIntervalMs?: number;
}

export interface OpenedCredentials<T> {
  readonly credentials: T;
  close(): Promise<void>;
}

/**
 * Credentials of a server; renewed files count for the connections that come after.
 * @throws ConfigError where a file can't be read, or key and certificate don't belong together
 */
export function serverTls(files: ServerTlsFiles, options: TlsOptions): OpenedCredentials<grpc.ServerCredentials> {
  const { certFile, keyFile, clientCaFile } = files;
  const reloaded = new ReloadedFiles<SecureContextOptions>({
    what: 'TLS certificate',
    paths: [certFile, keyFile, ...(clientCaFile === undefined ? [] : [clientCaFile])],
    parse: ([cert, key, ca]) => checked({ cert: cert!, key: key!, ...(ca && { ca }) }),
    clock: options.clock,
    logger: options.logger,
    ...(options.reloadIntervalMs !== undefined && { intervalMs: options.reloadIntervalMs }),
  });
  const credentials = new RenewableServerCredentials(clientCaFile !== undefined, reloaded.value);
  reloaded.onChange((context) => credentials.renew(context));
  return { credentials, close: () => reloaded.close() };
}

class RenewableServerCredentials extends grpc.ServerCredentials {
  constructor(requireClientCertificate: boolean, context: SecureContextOptions) {
    super(
      { requestCert: requireClientCertificate, rejectUnauthorized: requireClientCertificate, minVersion: MIN_TLS },
      context,
    );
  }

  renew(context: SecureContextOptions): void {
    this.updateSecureContextOptions(context);
  }

  override _equals(other: grpc.ServerCredentials): boolean {
    return this === other;
  }
}

type Provider = grpc.experimental.CertificateProvider;

/**
 * Credentials of a client; renewed files count for the connections that come after.
 * @throws ConfigError where a file can't be read, or key and certificate don't belong together
 */
export function clientTls(files: ClientTlsFiles, options: TlsOptions): OpenedCredentials<grpc.ChannelCredentials> {
  const { caFile, certFile, keyFile } = files;
  const identity = certFile !== undefined && keyFile !== undefined ? [certFile, keyFile] : [];
  const reloaded = new ReloadedFiles<{ ca: Buffer; cert?: Buffer; key?: Buffer }>({
    what: 'TLS certificate',
    paths: [...(caFile === undefined ? [] : [caFile]), ...identity],
    parse: (contents) => {
      const ca = caFile === undefined ? Buffer.from(rootCertificates.join('\n')) : contents[0]!;
      const [cert, key] = contents.slice(caFile === undefined ? 0 : 1);
      return checked({ ca, ...(cert && key && { cert, key }) });
    },
    clock: options.clock,
    logger: options.logger,
    ...(options.reloadIntervalMs !== undefined && { intervalMs: options.reloadIntervalMs }),
  });
  const provider = providerOf(reloaded);
  const credentials = grpc.experimental.createCertificateProviderChannelCredentials(
    provider,
    identity.length > 0 ? provider : null,
  );
  return { credentials, close: () => reloaded.close() };
}

function providerOf(files: ReloadedFiles<{ ca: Buffer; cert?: Buffer; key?: Buffer }>): Provider {
  const caListeners = new Set<grpc.experimental.CaCertificateUpdateListener>();
  const identityListeners = new Set<grpc.experimental.IdentityCertificateUpdateListener>();
  const identity = () => {
    const { cert, key } = files.value;
    return cert && key ? { certificate: cert, privateKey: key } : null;
  };
  files.onChange(() => {
    for (const listener of caListeners) listener({ caCertificate: files.value.ca });
    for (const listener of identityListeners) listener(identity());
  });
  return {
    addCaCertificateListener: (listener) => {
      caListeners.add(listener);
      listener({ caCertificate: files.value.ca });
    },
    removeCaCertificateListener: (listener) => void caListeners.delete(listener),
    addIdentityCertificateListener: (listener) => {
      identityListeners.add(listener);
      listener(identity());
    },
    removeIdentityCertificateListener: (listener) => void identityListeners.delete(listener),
  };
}

const MIN_TLS = 'TLSv1.2';

/** @throws Error where the key isn't the certificate's, or a file is no PEM */
function checked<Context extends SecureContextOptions>(context: Context): Context {
  createSecureContext(context);
  return context;
}
