import * as grpc from '@grpc/grpc-js';
import * as protoLoader from '@grpc/proto-loader';
import { protoPath as healthProto } from 'grpc-health-check';

/** What a server's health service says of one of its services; the empty name asks about the whole. */
export async function healthOf(address: string, service: string): Promise<string> {
  const definition = protoLoader.loadSync(healthProto, { enums: String })[
    'grpc.health.v1.Health'
  ] as grpc.ServiceDefinition;
  const client = new grpc.Client(address, grpc.credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } = definition['Check']!;
  try {
    return await new Promise((resolve, reject) =>
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { service }, (error, response) =>
        error ? reject(error) : resolve((response as { status: string }).status),
      ),
    );
  } finally {
    client.close();
  }
}
