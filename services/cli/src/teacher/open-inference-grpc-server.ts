import {
  BBDISTILL_VERSION,
  InvalidArgumentError,
  bearerToken,
  implementService,
  silentLogger,
  startGrpcServer,
} from '@bbdistill/common';
import type { Logger, RequestReadOf, ResponseOf, RunningGrpcServer } from '@bbdistill/common';
import { rawFloats } from './binary-tensors.js';
import type { OpenInferenceModel, SentTensor, TensorContents } from './open-inference-model.js';
import { DEFAULT_HOST, DEFAULT_MAX_BODY_BYTES } from './open-inference-server.js';

const SERVICE = 'inference.GRPCInferenceService';
const SERVER_NAME = 'bbdistill';

export interface OpenInferenceGrpcServerOptions {
  model: OpenInferenceModel;
  /** `host:port`; default any free port of loopback. Beyond loopback only with a token. */
  address?: string;
  /** Bearer token that every call must carry. */
  token?: string;
  /** Default as over HTTP. */
  maxMessageBytes?: number;
  logger?: Logger;
}

type InferRequest = RequestReadOf<typeof SERVICE, 'ModelInfer'>;
type InferResponse = ResponseOf<typeof SERVICE, 'ModelInfer'>;

/**
 * Serves a classifier over the Open Inference Protocol v2 (gRPC). Takes raw and typed contents and answers in the form
 * it was asked in.
 * @throws ConfigError beyond loopback without a token; UnavailableError where the address can't be had
 */
export function startOpenInferenceGrpcServer(options: OpenInferenceGrpcServerOptions): Promise<RunningGrpcServer> {
  const { model, token } = options;
  const { name, version, platform, input, output } = model.classifier;
  const service = implementService(SERVICE, {
    ServerLive: async () => ({ live: true }),
    ServerReady: async () => ({ ready: true }),
    ModelReady: async (request) => {
      model.mustBe(request.name, request.version);
      return { ready: true };
    },
    ServerMetadata: async () => ({ name: SERVER_NAME, version: BBDISTILL_VERSION, extensions: [] }),
    ModelMetadata: async (request) => {
      model.mustBe(request.name, request.version);
      return {
        name,
        versions: [version],
        platform,
        inputs: [{ name: input.name, datatype: input.datatype, shape: [-1, ...input.dims] }],
        outputs: [{ name: output.name, datatype: 'FP32', shape: [-1, output.classes] }],
      };
    },
    ModelInfer: (request) => infer(model, request),
  });
  return startGrpcServer({
    address: options.address ?? `${DEFAULT_HOST}:0`,
    services: [service],
    maxMessageBytes: options.maxMessageBytes ?? DEFAULT_MAX_BODY_BYTES,
    logger: options.logger ?? silentLogger,
    ...(token !== undefined && { auth: bearerToken(token) }),
  });
}

async function infer(model: OpenInferenceModel, request: InferRequest): Promise<InferResponse> {
  const { name, version, output } = model.classifier;
  model.mustBe(request.modelName, request.modelVersion);
  const { inputs, rawInputContents } = request;
  const raw = rawInputContents.length > 0;
  if (raw && rawInputContents.length !== inputs.length) {
    throw new InvalidArgumentError(
      `raw_input_contents has ${rawInputContents.length} entries for ${inputs.length} inputs: send one for each`,
    );
  }
  const sent = inputs.map((tensor, at): SentTensor => {
    if (raw && tensor.contents) {
      throw new InvalidArgumentError(`input "${tensor.name}" has both contents and raw contents: send one of them`);
    }
    const contents: TensorContents = raw
      ? { kind: 'raw', bytes: rawInputContents[at]! }
      : { kind: 'typed', values: typedValues(tensor) };
    return { name: tensor.name, datatype: tensor.datatype, shape: tensor.shape, contents };
  });
  const asked = request.outputs.map((wanted) => wanted.name);
  const { count, values } = await model.infer(sent, asked);
  const tensor = { name: output.name, datatype: 'FP32', shape: [count, output.classes] };
  return {
    modelName: name,
    modelVersion: version,
    id: request.id,
    ...(raw
      ? { outputs: [tensor], rawOutputContents: [rawFloats(values)] }
      : { outputs: [{ ...tensor, contents: { fp32Contents: Array.from(values) } }] }),
  };
}

/** UINT8 travels in uint_contents, FP32 in fp32_contents. */
function typedValues({ datatype, contents }: InferRequest['inputs'][number]): readonly number[] {
  return (datatype === 'UINT8' ? contents?.uintContents : contents?.fp32Contents) ?? [];
}
