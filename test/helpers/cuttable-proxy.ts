import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';

/** A TCP proxy whose network can be split: nothing passes any more, and nobody is told. */
export interface CuttableProxy extends AsyncDisposable {
  readonly port: number;
  /** Where connections go from now on. */
  target(host: string, port: number): void;
  cut(): void;
  /** New connections pass again; those from before the split are reset, as a network does in the end. */
  heal(): void;
}

export async function startCuttableProxy(): Promise<CuttableProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let to = { host: '127.0.0.1', port: 0 };
  let isCut = false;
  const server = createServer({ pauseOnConnect: true, noDelay: true }, (near) => {
    if (isCut) {
      // Accepted by the system, answered by nobody.
      near.on('error', () => undefined);
      pairs.add([near, near]);
      return;
    }
    const far = connect({ ...to, noDelay: true });
    const pair = [near, far] as const;
    pairs.add(pair);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('data', (data) => void (isCut || other.write(data)));
      one.on('error', () => other.destroy());
      one.on('close', () => {
        if (!isCut) other.destroy();
        pairs.delete(pair);
      });
    }
    near.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const reset = () => {
    for (const pair of pairs) for (const socket of pair) socket.destroy();
  };
  return {
    port: (server.address() as { port: number }).port,
    target: (host, port) => void (to = { host, port }),
    cut: () => void (isCut = true),
    heal() {
      reset();
      isCut = false;
    },
    async [Symbol.asyncDispose]() {
      reset();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
