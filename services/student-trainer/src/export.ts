import {
  TFJS_WEIGHTS_FILE,
  encodeOnnx,
  encodeSoftLabels,
  encodeTfjs,
  networkOfWeights,
  parameterCount,
} from '@bbdistill/compute';
import type { AnsweredHashes, NetworkSpec, TrainedWeights } from '@bbdistill/compute';

/** One file of the bundle, below the output folder. */
export interface BundleFile {
  path: string;
  mediaType: string;
  bytes: Uint8Array;
}

export interface BundleOptions {
  name: string;
  /** Empty: classes are named by their numbers. */
  classNames: readonly string[];
  /** What the student was trained on, for the soft labels. */
  data: AnsweredHashes | undefined;
}

export const MANIFEST_SCHEMA = 1;

/**
 * A trained student as files that others load: a tfjs LayersModel, ONNX, a manifest that says how to feed them, and the
 * teacher's answers. The same student gives the same bytes.
 */
export function exportStudent(trained: TrainedWeights, options: BundleOptions): BundleFile[] {
  const network = networkOfWeights(trained);
  const { modelJson, weightsBin } = encodeTfjs(network, trained.weights);
  const files: BundleFile[] = [
    { path: 'student/model.json', mediaType: 'application/json', bytes: modelJson },
    { path: `student/${TFJS_WEIGHTS_FILE}`, mediaType: 'application/octet-stream', bytes: weightsBin },
    { path: 'student/model.onnx', mediaType: 'application/octet-stream', bytes: encodeOnnx(network, trained.weights) },
    { path: 'student/manifest.json', mediaType: 'application/json', bytes: manifest(network, options) },
  ];
  if (options.data) {
    const bytes = encodeSoftLabels({ ...options.data, classNames: options.classNames });
    files.push({ path: 'student/soft-labels.jsonl', mediaType: 'application/jsonl', bytes });
  }
  return files;
}

function manifest(network: NetworkSpec, { name, classNames, data }: BundleOptions): Uint8Array {
  const content = {
    schema: MANIFEST_SCHEMA,
    name,
    network: network.name,
    parameters: parameterCount(network),
    input: { name: 'images', layout: 'NHWC', datatype: 'FP32', scale: '1/255', ...network.input },
    output: { name: 'probabilities', classes: network.classes },
    classNames: classNames.length > 0 ? classNames : null,
    softLabels: data ? data.count : 0,
    files: { tfjs: 'model.json', onnx: 'model.onnx', softLabels: data ? 'soft-labels.jsonl' : null },
  };
  return new TextEncoder().encode(`${JSON.stringify(content, null, 2)}\n`);
}
