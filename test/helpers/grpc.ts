import { connect, implementService, silentLogger, startGrpcServer } from '@bbdistill/common';
import type {
  ConnectOptions,
  GrpcServerOptions,
  RunningGrpcServer,
  ServiceClient,
  ServiceHandlers,
  ServiceName,
} from '@bbdistill/common';

export interface ServedService<S extends ServiceName> extends AsyncDisposable {
  readonly server: RunningGrpcServer;
  readonly client: ServiceClient<S>;
}

const GRACE_MS = 100;

/** Handlers of a service; what a test leaves out throws when called. */
export function handlersOf<S extends ServiceName>(handlers: Partial<ServiceHandlers<S>>): ServiceHandlers<S> {
  return new Proxy(handlers, {
    get: (given, method) =>
      Reflect.get(given, method) ??
      (() => {
        throw new Error(`the test gave no handler for ${String(method)}`);
      }),
  }) as ServiceHandlers<S>;
}

/** A real server on 127.0.0.1:0 and a client of it. */
export async function serve<S extends ServiceName>(
  name: S,
  handlers: Partial<ServiceHandlers<S>>,
  serverOptions: Partial<GrpcServerOptions> = {},
  clientOptions: ConnectOptions = {},
): Promise<ServedService<S>> {
  const server = await startGrpcServer({
    address: '127.0.0.1:0',
    services: [implementService(name, handlersOf(handlers))],
    logger: silentLogger,
    ...serverOptions,
  });
  const client = connect(name, server.address, clientOptions);
  return {
    server,
    client,
    async [Symbol.asyncDispose]() {
      client.close();
      await server.drain(GRACE_MS);
    },
  };
}
