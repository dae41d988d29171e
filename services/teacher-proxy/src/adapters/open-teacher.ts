import type { Clock } from '@bbdistill/common';
import type { TeacherConfig } from '../registry.js';
import type { Teacher } from '../teacher.js';
import type { Environment } from './declared.js';
import { FakeTeacher } from './fake.js';
import { HttpJsonTeacher } from './http-json.js';
import { OnnxTeacher } from './onnx.js';
import { OpenInferenceGrpcTeacher } from './open-inference-grpc.js';
import { OpenInferenceHttpTeacher } from './open-inference-http.js';
import { TfServingTeacher } from './tf-serving.js';

/**
 * The adapter of a registered teacher. Connects to nobody yet; a local model is loaded.
 * @throws ConfigError where a local model can't be loaded
 */
export async function openTeacher(config: TeacherConfig, env: Environment, clock: Clock): Promise<Teacher> {
  switch (config.adapter) {
    case 'onnx':
      return OnnxTeacher.open(config);
    case 'open-inference-http':
      return new OpenInferenceHttpTeacher(config, env, clock);
    case 'open-inference-grpc':
      return new OpenInferenceGrpcTeacher(config, env);
    case 'tf-serving':
      return new TfServingTeacher(config, env, clock);
    case 'http-json':
      return new HttpJsonTeacher(config, env, clock);
    case 'fake':
      return new FakeTeacher({
        ...config.fake,
        ...(config.cacheIdentity !== undefined && { cacheIdentity: config.cacheIdentity }),
        clock,
      });
  }
}
