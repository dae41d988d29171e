// Asks services whether they serve: node health.mjs HOST:PORT... Exit code 0: all of them do.
// Apart from the command line, which loads everything: a container engine runs this twice a minute.
import { Client, credentials } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { protoPath } from 'grpc-health-check';

const TIMEOUT_MS = 5_000;
const { path, requestSerialize, responseDeserialize } = loadSync(protoPath, { enums: String })['grpc.health.v1.Health']
  .Check;

/** SERVING, NOT_SERVING, or why there was no answer. */
function healthOf(address) {
  const client = new Client(address, credentials.createInsecure(), { 'grpc.enable_http_proxy': 0 });
  const deadline = Date.now() + TIMEOUT_MS;
  return new Promise((resolve) =>
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      { service: '' },
      { deadline },
      (error, reply) => resolve(error ? error.message : reply.status),
    ),
  ).finally(() => client.close());
}

const addresses = process.argv.slice(2);
if (addresses.length === 0) {
  console.error('name the health ports to ask: host:port ...');
  process.exit(2);
}
const answers = await Promise.all(addresses.map(healthOf));
for (const [index, answer] of answers.entries()) console.log(`${addresses[index]} ${answer}`);
process.exit(answers.every((answer) => answer === 'SERVING') ? 0 : 1);
