import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const LOWEST_PORT = 15_000;
/** Linux' own lower bound; where `/proc` tells another, that one counts. */
const DEFAULT_EPHEMERAL_PORT = 32_768;
const TRIES = 100;

/**
 * A free port of 127.0.0.1 below those that the system gives to outgoing connections: a program that comes back to
 * such a port after a while may find it taken by a connection, even by one of its own clients that tried to reconnect.
 *
 * @throws Error where no port was free in 100 tries
 */
export async function portToComeBackTo(): Promise<number> {
  const highest = Math.max(LOWEST_PORT + TRIES, firstEphemeralPort()) - 1;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const port = LOWEST_PORT + Math.floor(Math.random() * (highest - LOWEST_PORT));
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port between ${LOWEST_PORT} and ${highest} in ${TRIES} tries`);
}

function firstEphemeralPort(): number {
  try {
    return Number.parseInt(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8'), 10);
  } catch {
    return DEFAULT_EPHEMERAL_PORT;
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
