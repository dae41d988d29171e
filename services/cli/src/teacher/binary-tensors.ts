import { InvalidArgumentError, asBbdError, isJsonObject } from '@bbdistill/common';
import type { SentTensor } from './open-inference-model.js';

/** Header of the binary tensor extension: how many bytes of the body are JSON. */
export const BINARY_HEADER = 'inference-header-content-length';

/** What an inference request over HTTP says. */
export interface HttpInferRequest {
  id: string | undefined;
  inputs: SentTensor[];
  /** Names of the wanted outputs; empty = all. */
  outputs: unknown[];
  binaryOutput: boolean;
}

/**
 * Takes a request's body apart: JSON, followed by the binary tensors in the order of the inputs.
 * @param headerLength value of {@link BINARY_HEADER}; undefined where the whole body is JSON
 * @throws InvalidArgumentError naming what is wrong
 */
export function parseInferRequest(body: Uint8Array, headerLength: string | undefined): HttpInferRequest {
  const jsonBytes = headerLength === undefined ? body.length : jsonLength(headerLength, body.length);
  const request = parseObject(body.subarray(0, jsonBytes));
  const binary = new BinarySection(body.subarray(jsonBytes));
  const inputs = listOf(request['inputs'], 'inputs').map((input) => readInput(input, binary));
  binary.mustBeUsedUp();
  const wanted = request['outputs'] === undefined ? [] : listOf(request['outputs'], 'outputs');
  const id = request['id'];
  if (id !== undefined && typeof id !== 'string') throw new InvalidArgumentError('"id" is not a text');
  return {
    id,
    inputs,
    outputs: wanted.map((output) => output['name']),
    binaryOutput:
      parametersOf(request)['binary_data_output'] === true ||
      wanted.some((output) => parametersOf(output)['binary_data'] === true),
  };
}

/** Little-endian, as the protocol sends raw values. */
export function rawFloats(values: Float32Array): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, at) => bytes.writeFloatLE(value, at * 4));
  return bytes;
}

type JsonObject = Record<string, unknown>;

function jsonLength(header: string, bodyBytes: number): number {
  const length = /^\d{1,15}$/.test(header) ? Number(header) : Number.NaN;
  if (!(length <= bodyBytes)) {
    throw new InvalidArgumentError(`${BINARY_HEADER} is "${header}", but the body has ${bodyBytes} bytes`);
  }
  return length;
}

function parseObject(bytes: Uint8Array): JsonObject {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new InvalidArgumentError(`the request is not JSON: ${asBbdError(cause).message}`, { cause });
  }
  if (!isJsonObject(parsed)) throw new InvalidArgumentError('the request is not a JSON object');
  return parsed;
}

function readInput(input: JsonObject, binary: BinarySection): SentTensor {
  const { name, datatype, shape, data } = input;
  const size = parametersOf(input)['binary_data_size'];
  if (size !== undefined && data !== undefined) {
    throw new InvalidArgumentError('an input has both "data" and "binary_data_size": send one of them');
  }
  return {
    name,
    datatype,
    shape,
    contents: size === undefined ? { kind: 'typed', values: data } : { kind: 'raw', bytes: binary.take(size) },
  };
}

/** The bytes after the JSON, given out in order. */
class BinarySection {
  #at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  take(size: unknown): Uint8Array {
    const left = this.bytes.length - this.#at;
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0 || size > left) {
      throw new InvalidArgumentError(
        `"binary_data_size" is ${JSON.stringify(size)}, but ${left} binary bytes are left`,
      );
    }
    this.#at += size;
    return this.bytes.subarray(this.#at - size, this.#at);
  }

  mustBeUsedUp(): void {
    const left = this.bytes.length - this.#at;
    if (left > 0) throw new InvalidArgumentError(`${left} binary bytes belong to no input`);
  }
}

function parametersOf(value: JsonObject): JsonObject {
  const { parameters } = value;
  if (parameters === undefined) return {};
  if (!isJsonObject(parameters)) throw new InvalidArgumentError('"parameters" is not an object');
  return parameters;
}

function listOf(value: unknown, key: string): JsonObject[] {
  if (!Array.isArray(value) || !value.every(isJsonObject)) {
    throw new InvalidArgumentError(`"${key}" is not a list of objects`);
  }
  return value;
}
