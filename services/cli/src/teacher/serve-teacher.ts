import { ConfigError } from '@bbdistill/common';
import type { Logger } from '@bbdistill/common';
import { openOnnxClassifier } from './onnx-classifier.js';
import type { OnnxClassifierOptions } from './onnx-classifier.js';
import { startOpenInferenceGrpcServer } from './open-inference-grpc-server.js';
import { OpenInferenceModel } from './open-inference-model.js';
import type { InferenceStats } from './open-inference-model.js';
import { DEFAULT_HOST, startOpenInferenceServer } from './open-inference-server.js';

/** How long calls under way may take to end when the server stops. */
const DRAIN_MS = 5_000;

export interface ServeTeacherOptions extends OnnxClassifierOptions {
  /** An .onnx classifier. */
  file: string;
  /** Default loopback; beyond it only with a token. */
  host?: string;
  /** HTTP; 0, the default, takes any free port. */
  port?: number;
  /** Default: no gRPC. */
  grpcPort?: number;
  token?: string;
  imagesPerSecond?: number;
  maxBatch?: number;
  logger?: Logger;
}

export interface ServedTeacher {
  /** `http://host:port` */
  readonly url: string;
  /** `host:port` */
  readonly grpcAddress: string | undefined;
  readonly model: OpenInferenceModel;
  readonly stats: InferenceStats;
  stop(): Promise<void>;
}

/**
 * Serves an .onnx classifier as a black box, over HTTP and, if wanted, gRPC; limits and counters are shared by both.
 * @throws ConfigError where the file isn't a classifier, or beyond loopback without a token
 */
export async function serveTeacher(options: ServeTeacherOptions): Promise<ServedTeacher> {
  const { file, host = DEFAULT_HOST, port = 0, grpcPort, token, logger } = options;
  if (token === '') throw new ConfigError('the token is empty: give a long random text, or none at all');
  const classifier = await openOnnxClassifier(file, options);
  const closing: (() => Promise<void>)[] = [() => classifier.close()];
  const stop = async () => {
    for (const close of closing.reverse()) await close();
  };
  const shared = { ...(token !== undefined && { token }), ...(logger && { logger }) };
  try {
    const model = new OpenInferenceModel(classifier, options);
    const http = await startOpenInferenceServer({ model, host, port, ...shared });
    closing.push(() => http.close());
    let grpcAddress: string | undefined;
    if (grpcPort !== undefined) {
      const grpc = await startOpenInferenceGrpcServer({ model, address: `${host}:${grpcPort}`, ...shared });
      closing.push(() => grpc.drain(DRAIN_MS));
      grpcAddress = grpc.address;
    }
    return {
      url: http.url,
      grpcAddress,
      model,
      get stats() {
        return model.stats;
      },
      stop,
    };
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}
