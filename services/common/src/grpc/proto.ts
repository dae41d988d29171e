import { fileURLToPath } from 'node:url';
import type { ServiceDefinition } from '@grpc/grpc-js';
import * as protoLoader from '@grpc/proto-loader';
import type { ServiceName } from './services.js';

// `src/grpc` and `dist/grpc` lie equally deep, so that one relative path serves both.
const PROTO_FOLDER = fileURLToPath(new URL('../../../../proto', import.meta.url));
const PROTO_FILES = ['bbdistill/v1/orchestrator.proto', 'inference/grpc_predict_v2.proto'];

let loaded: protoLoader.PackageDefinition | undefined;

/** The wire contract of `proto/`, read once. The options are those that the types in `gen/` were generated with. */
export function packageDefinition(): protoLoader.PackageDefinition {
  loaded ??= protoLoader.loadSync(PROTO_FILES, {
    includeDirs: [PROTO_FOLDER],
    keepCase: false,
    longs: Number,
    enums: String,
    defaults: true,
    oneofs: true,
    arrays: true,
  });
  return loaded;
}

/** The methods of one service, by name. */
export function serviceDefinition(name: ServiceName): ServiceDefinition {
  return packageDefinition()[name] as ServiceDefinition;
}
