import type * as grpc from '@grpc/grpc-js';
import { UnavailableError } from '../errors.js';

/**
 * Starts to listen.
 * @returns `host:port` as it really is, where port 0 took any free one
 * @throws UnavailableError where the address can't be had
 */
export async function bind(server: grpc.Server, address: string, credentials: grpc.ServerCredentials): Promise<string> {
  try {
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(address, credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
    });
    return `${address.slice(0, address.lastIndexOf(':'))}:${port}`;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UnavailableError(
      `cannot listen on ${address} (${reason}): is another process there? Choose another port`,
      { code: 'ADDRESS_IN_USE', retryable: false, cause },
    );
  }
}

/** Whether only this machine can reach the address. */
export function isLoopback(address: string): boolean {
  const host = address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
