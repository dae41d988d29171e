import { OpenInferenceModel } from '../../teacher/open-inference-model.js';
import { startOpenInferenceServer } from '../../teacher/open-inference-server.js';
import { DIGITS, openDigitRecogniser } from './recogniser.js';
import { OCR_MODEL, readOptions } from './protocol.js';
import type { OcrTeacherReady } from './protocol.js';

// Ctrl-C reaches the whole group: calls that the run still has open are to be answered, and the parent ends this one.
process.on('SIGINT', () => undefined);

// A process of its own, so that a run sees nothing of this teacher but its answers.
const { threads, port } = readOptions(process.argv[2]);
const recogniser = await openDigitRecogniser(threads);
const { name, version, inputName, outputName, dims } = OCR_MODEL;
const [height, width] = dims;
const model = new OpenInferenceModel({
  name,
  version,
  platform: 'onnxruntime_onnx',
  input: { name: inputName, dims, datatype: 'FP32' },
  output: { name: outputName, classes: DIGITS.length },
  classify: (images, count) => recogniser.recognise(images, count, height, width),
});
const server = await startOpenInferenceServer({ model, port });

process.on('disconnect', () => void server.close().finally(() => process.exit(0)));
process.send?.({ url: server.url } satisfies OcrTeacherReady);
