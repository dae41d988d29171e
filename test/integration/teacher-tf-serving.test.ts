import { systemClock } from '@bbdistill/common';
import { normaliseAnswer, openTeacher, parseTeacherConfig } from '@bbdistill/teacher-proxy';
import type { Teacher } from '@bbdistill/teacher-proxy';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { gradientImages } from '../helpers/gradient-images.js';
import { startHostedTeacher } from '../helpers/hosted-teacher.js';
import type { GivenAnswer, HostedTeacher } from '../helpers/hosted-teacher.js';

const CLASSES = 2;
const signal = () => AbortSignal.timeout(20_000);

interface Predict {
  signature_name?: string;
  instances?: unknown[];
  inputs?: unknown;
}

/** Brightness of an image, however deep its pixels lie, and one minus it. */
function rowOf(image: unknown): number[] {
  const pixels = [image].flat(Infinity) as number[];
  const mean = pixels.reduce((sum, value) => sum + value, 0) / pixels.length;
  return [mean, 1 - mean];
}

const tensor = (dtype: string, ...sizes: number[]) => ({
  dtype,
  tensor_shape: { dim: sizes.map((size) => ({ size: String(size), name: '' })), unknown_rank: false },
});

const METADATA = {
  model_spec: { name: 'pets', signature_name: '', version: '3' },
  metadata: {
    signature_def: {
      signature_def: {
        serving_default: {
          inputs: { images: tensor('DT_FLOAT', -1, 4, 6, 1) },
          outputs: { probabilities: tensor('DT_FLOAT', -1, CLASSES) },
        },
      },
    },
  },
};

interface Opened extends AsyncDisposable {
  hosted: HostedTeacher;
  teacher: Teacher;
  sent(): Predict;
}

/** As TensorFlow Serving's REST API answers, by the path. */
async function serve(predict: (request: Predict) => GivenAnswer, declared: object = {}, env = {}): Promise<Opened> {
  const hosted = await startHostedTeacher(({ path, body }) => {
    if (path.endsWith(':predict')) return predict(JSON.parse(body.toString()) as Predict);
    if (path.endsWith('/metadata')) return { body: METADATA };
    if (path.startsWith('/v1/models/pets')) {
      return { body: { model_version_status: [{ version: '3', state: 'AVAILABLE', status: { error_code: 'OK' } }] } };
    }
    return { status: 404, body: { error: 'Servable not found' } };
  });
  const config = parseTeacherConfig('tf', { adapter: 'tf-serving', url: hosted.url, model: 'pets', ...declared });
  const teacher = await openTeacher(config, env, systemClock);
  return {
    hosted,
    teacher,
    sent: () => JSON.parse(hosted.received.at(-1)!.body.toString()) as Predict,
    [Symbol.asyncDispose]: () => hosted[Symbol.asyncDispose](),
  };
}

async function rows({ teacher }: Opened, count = 2): Promise<(number[] | string)[]> {
  const outcome = await teacher.query(gradientImages(count), signal());
  if (outcome.kind !== 'answered') throw new Error(`${outcome.kind}: ${outcome.message}`);
  return outcome.answers.map((answer) => {
    if (!answer.ok) return answer.message;
    const target = new Float32Array(CLASSES);
    const result = normaliseAnswer(answer.raw, target, teacher.answer);
    return result.ok ? Array.from(target) : result.message;
  });
}

function expectBrightness(found: (number[] | string)[]): void {
  const { pixels } = gradientImages(found.length);
  found.forEach((row, n) => {
    const mean = rowOf(Array.from(pixels.subarray(n * 24, (n + 1) * 24), (pixel) => pixel / 255))[0]!;
    expect(row[0]).toBeCloseTo(mean, 5);
  });
}

describe('tf-serving - requests', () => {
  it('instances - rows in, predictions out, the default signature', async () => {
    await using opened = await serve(({ instances }) => ({ body: { predictions: instances!.map(rowOf) } }));
    expectBrightness(await rows(opened));
    expect(opened.sent()).toMatchObject({ signature_name: 'serving_default' });
    expect(opened.hosted.received.at(-1)!.path).toBe('/v1/models/pets:predict');
  });

  it('instances - named input, several outputs, a signature and a version', async () => {
    await using opened = await serve(
      ({ instances }) => ({
        body: {
          predictions: (instances as { images: unknown }[]).map(({ images }) => ({
            probabilities: rowOf(images),
            id: 7,
          })),
        },
      }),
      {
        version: '3',
        input: { name: 'images' },
        answer: { output: 'probabilities' },
        tfServing: { signature: 'classify' },
      },
    );
    expectBrightness(await rows(opened));
    expect(opened.sent().signature_name).toBe('classify');
    expect(opened.hosted.received.at(-1)!.path).toBe('/v1/models/pets/versions/3:predict');
  });

  it('inputs - one tensor in, one out, a version by its label', async () => {
    await using opened = await serve(({ inputs }) => ({ body: { outputs: (inputs as unknown[]).map(rowOf) } }), {
      tfServing: { format: 'inputs', versionLabel: 'stable' },
    });
    expectBrightness(await rows(opened));
    expect(opened.hosted.received.at(-1)!.path).toBe('/v1/models/pets/labels/stable:predict');
  });

  it('inputs - tensors by name both ways', async () => {
    const predict = ({ inputs }: Predict) => ({
      body: { outputs: { p: (inputs as { images: unknown[] }).images.map(rowOf), id: [1, 2] } },
    });
    const declared = { input: { name: 'images' }, answer: { output: 'p' }, tfServing: { format: 'inputs' } };
    await using opened = await serve(predict, declared);
    expectBrightness(await rows(opened));
  });

  it('BYTES - pictures as base64', async () => {
    await using opened = await serve(({ instances }) => ({ body: { predictions: instances!.map(() => [1, 0]) } }), {
      input: { name: 'image_bytes', datatype: 'BYTES' },
    });
    await rows(opened);
    const sent = opened.sent().instances as { image_bytes: { b64: string } }[];
    const { width, height, format } = await sharp(Buffer.from(sent[1]!.image_bytes.b64, 'base64')).metadata();
    expect({ width, height, format }).toEqual({ width: 6, height: 4, format: 'png' });
  });

  it('labels as strings are hard labels', async () => {
    await using opened = await serve(() => ({ body: { predictions: ['dog', 'cat'] } }), {
      answer: { kind: 'hard-label', labels: ['cat', 'dog'] },
    });
    expect(await rows(opened)).toEqual([
      [0, 1],
      [1, 0],
    ]);
  });
});

describe('tf-serving - what it says of itself', () => {
  it('state, input and classes of the signature', async () => {
    await using opened = await serve(() => ({}));
    expect(await opened.teacher.describe(signal())).toMatchObject({
      ready: true,
      classes: CLASSES,
      inputShape: { height: 4, width: 6, channels: 1 },
    });
  });

  it('a model that is not there is not ready', async () => {
    await using opened = await serve(() => ({}), { model: 'cars' });
    const facts = await opened.teacher.describe(signal());
    expect(facts).toMatchObject({ ready: false });
    expect(facts.detail).toContain('Servable not found');
  });
});

describe('tf-serving - bad answers', () => {
  it.each<[string, unknown, string]>([
    ['too few rows', { predictions: [[1, 0]] }, '1 answers for 2 images'],
    ['an error inside a 200', { error: 'boom' }, 'no list of answers for 2 images'],
    [
      'several outputs and none named',
      {
        predictions: [
          { a: [1], b: [2] },
          { a: [1], b: [2] },
        ],
      },
      'set answer.output',
    ],
    ['tables in a row', { predictions: [[{}], [{}]] }, 'neither numbers nor strings'],
    ['nothing', 'null', 'no list of answers'],
    ['half a JSON', '{"predictions":[[', "can't be read"],
  ])('%s is said of each image', async (_, body, message) => {
    await using opened = await serve(() => ({ body }));
    for (const said of await rows(opened)) expect(said).toContain(message);
  });

  it.each([
    ['without a list', (echo: string) => ({ error: 'x'.repeat(185) + echo })],
    ['with a row that is none', (echo: string) => ({ predictions: [[{ x: 'x'.repeat(190) + echo }]] })],
  ])('a secret that it sends back is in no message, not even cut off: an answer %s', async (_, answer) => {
    const secret = 'pl4nted-pl4nted-pl4nted';
    await using opened = await serve(() => ({ body: answer(secret) }), { auth: { env: 'KEY' } }, { KEY: secret });
    const [said] = await rows(opened, 1);
    expect(said).toMatch(/no list of answers|neither numbers/);
    expect(said).not.toContain('pl4');
  });

  it('NaN spoils only its own image', async () => {
    await using opened = await serve(() => ({ body: '{"predictions": [[NaN, 1.0], [0.5, 0.5]]}' }));
    const [first, second] = await rows(opened);
    expect(first).toContain('NaN');
    expect(second).toEqual([0.5, 0.5]);
  });

  it.each([
    [400, { error: 'bad shape' }, { kind: 'refused', code: 'HTTP_400' }],
    [404, { error: 'Servable not found' }, { kind: 'refused', code: 'HTTP_404' }],
    [503, { error: 'unavailable' }, { kind: 'throttled', reason: 'overloaded' }],
  ])('HTTP %s is told apart', async (status, body, expected) => {
    await using opened = await serve(() => ({ status, body }));
    expect(await opened.teacher.query(gradientImages(1), signal())).toMatchObject(expected);
  });

  it.each([
    ['no model', { adapter: 'tf-serving', url: 'http://x' }, 'model is missing'],
    [
      'a version both ways',
      { adapter: 'tf-serving', url: 'http://x', model: 'm', version: '1', tfServing: { versionLabel: 'a' } },
      'contradicts version',
    ],
    ['settings of another adapter', { adapter: 'fake', tfServing: {} }, 'only for adapter tf-serving'],
    [
      'a classification',
      { adapter: 'tf-serving', url: 'http://x', model: 'm', answer: { classification: 3 } },
      'only for the open-inference adapters',
    ],
    [
      'typed contents',
      { adapter: 'tf-serving', url: 'http://x', model: 'm', input: { contents: 'typed' } },
      'only for adapter open-inference-grpc',
    ],
  ])('settings - %s is refused', (_, value, message) => {
    expect(() => parseTeacherConfig('t', value)).toThrow(message);
  });
});
