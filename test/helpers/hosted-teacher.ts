import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedRequest {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface GivenAnswer {
  status?: number;
  headers?: Record<string, string>;
  /** What is no bytes or text is sent as JSON. */
  body?: unknown;
}

/** An answer, or undefined where the handler has dealt with the response itself. */
export type HostedHandler = (
  request: ReceivedRequest,
  response: ServerResponse,
) => GivenAnswer | undefined | Promise<GivenAnswer | undefined>;

export interface HostedTeacher extends AsyncDisposable {
  readonly url: string;
  readonly received: ReceivedRequest[];
}

/** A real HTTP server on 127.0.0.1:0 that answers as the test says and keeps what it was sent. */
export async function startHostedTeacher(handler: HostedHandler): Promise<HostedTeacher> {
  const received: ReceivedRequest[] = [];
  const server = createServer((incoming, response) => {
    void (async () => {
      const parts: Buffer[] = [];
      for await (const part of incoming) parts.push(part as Buffer);
      const request = {
        method: incoming.method ?? '',
        path: incoming.url ?? '',
        headers: incoming.headers,
        body: Buffer.concat(parts),
      };
      received.push(request);
      const answer = await handler(request, response);
      if (!answer) return;
      const { status = 200, headers = {}, body = '' } = answer;
      const isPlain = typeof body === 'string' || body instanceof Uint8Array;
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(isPlain ? body : JSON.stringify(body));
    })().catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
