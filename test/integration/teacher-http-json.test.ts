import { systemClock } from '@bbdistill/common';
import type { ImageBatch } from '@bbdistill/common';
import { normaliseAnswer, openTeacher, parseTeacherConfig } from '@bbdistill/teacher-proxy';
import type { Teacher } from '@bbdistill/teacher-proxy';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { gradientImages } from '../helpers/gradient-images.js';
import { startHostedTeacher } from '../helpers/hosted-teacher.js';
import type { GivenAnswer, HostedHandler, HostedTeacher } from '../helpers/hosted-teacher.js';

const CLASSES = 3;
const signal = () => AbortSignal.timeout(20_000);
const labels = ['cat', 'dog', 'bird'];

interface Opened extends AsyncDisposable {
  hosted: HostedTeacher;
  teacher: Teacher;
  /** Rows of the answers, or what was said instead. */
  ask(images?: ImageBatch): Promise<(number[] | string)[]>;
}

async function open(handler: HostedHandler, declared: object, env = {}, path = '/classify'): Promise<Opened> {
  const hosted = await startHostedTeacher(handler);
  const config = parseTeacherConfig('hosted', { adapter: 'http-json', url: `${hosted.url}${path}`, ...declared });
  const teacher = await openTeacher(config, env, systemClock);
  return {
    hosted,
    teacher,
    async ask(images = gradientImages(1)) {
      const outcome = await teacher.query(images, signal());
      if (outcome.kind !== 'answered') throw new Error(`${outcome.kind}: ${outcome.message}`);
      return outcome.answers.map((answer) => {
        if (!answer.ok) return `${answer.code}: ${answer.message}`;
        const target = new Float32Array(CLASSES);
        const result = normaliseAnswer(answer.raw, target, teacher.answer);
        if (!result.ok) return `${result.fault}: ${result.message}`;
        if (result.kind === 'abstained') return `abstained: ${result.why}`;
        return Array.from(target, (value) => Number(value.toFixed(4)));
      });
    },
    [Symbol.asyncDispose]: () => hosted[Symbol.asyncDispose](),
  };
}

async function pixelsOf(file: Uint8Array): Promise<{ pixels: Buffer; format: string; channels: number }> {
  const { format, channels } = await sharp(file).metadata();
  const colours = channels === 1 ? sharp(file).toColourspace('b-w') : sharp(file);
  return { pixels: await colours.raw().toBuffer(), format, channels };
}

const fromBase64 = (text: string) => Buffer.from(text, 'base64');
const answering =
  (body: unknown): HostedHandler =>
  () => ({ body });
const named = { kind: 'probabilities', labels } as const;

describe('http-json - how images travel', () => {
  const response = { labels: '[].label', scores: '[].score' };
  const sure = [{ label: 'cat', score: 1 }];

  it('raw - a PNG is the body, grey stays grey, no pixel is lost', async () => {
    await using opened = await open(answering(sure), { request: { format: 'raw' }, response, answer: named });
    const images = gradientImages(1);
    await opened.ask(images);
    const [request] = opened.hosted.received;
    expect(request).toMatchObject({ method: 'POST', path: '/classify', headers: { 'content-type': 'image/png' } });
    const { pixels, format, channels } = await pixelsOf(request!.body);
    expect([format, channels]).toEqual(['png', 1]);
    expect(pixels).toEqual(Buffer.from(images.pixels));
  });

  it('raw - a JPEG of three channels in the size that the teacher wants', async () => {
    const input = { picture: 'jpeg', quality: 90, size: [8, 8], channels: 3 };
    await using opened = await open(answering(sure), { request: { format: 'raw' }, input, response, answer: named });
    await opened.ask();
    const [request] = opened.hosted.received;
    expect(request!.headers['content-type']).toBe('image/jpeg');
    const { pixels, format, channels } = await pixelsOf(request!.body);
    expect([format, channels, pixels.length]).toEqual(['jpeg', 3, 8 * 8 * 3]);
  });

  it('base64 - in the place of the body that is declared, an element an image', async () => {
    const body = { model: 'm', inputs: [{ b64: 'data:image/png;base64,{{image}}', kind: 'image' }] };
    const items = { ...response, items: 'results' };
    await using opened = await open(answering({ results: [sure, sure] }), {
      request: { format: 'base64', body, headers: { 'X-Plan': 'free' } },
      response: items,
      answer: named,
    });
    const images = gradientImages(2);
    expect(await opened.ask(images)).toEqual([
      [1, 0, 0],
      [1, 0, 0],
    ]);
    const sent = JSON.parse(opened.hosted.received[0]!.body.toString()) as typeof body;
    expect(sent.model).toBe('m');
    expect(sent.inputs).toHaveLength(2);
    expect(opened.hosted.received[0]!.headers['x-plan']).toBe('free');
    const second = await pixelsOf(fromBase64(sent.inputs[1]!.b64.replace('data:image/png;base64,', '')));
    expect(second.pixels).toEqual(Buffer.from(images.pixels.subarray(24)));
  });

  it('multipart - a file a field, and the further fields', async () => {
    const request = { format: 'multipart', field: 'file', fields: { model: 'pets' } };
    await using opened = await open(answering({ results: [sure, sure] }), {
      request,
      response: { ...response, items: 'results' },
      answer: named,
    });
    const images = gradientImages(2);
    await opened.ask(images);
    const { headers, body } = opened.hosted.received[0]!;
    const form = await new Response(body, { headers: { 'content-type': headers['content-type']! } }).formData();
    expect(form.get('model')).toBe('pets');
    const files = form.getAll('file') as File[];
    expect(files.map((file) => file.type)).toEqual(['image/png', 'image/png']);
    const first = await pixelsOf(Buffer.from(await files[0]!.arrayBuffer()));
    expect(first.pixels).toEqual(Buffer.from(images.pixels.subarray(0, 24)));
  });

  it('tensor - numbers as declared, nested by axis', async () => {
    await using opened = await open(answering({ out: [[0.2, 0.5, 0.3]] }), {
      request: { format: 'tensor', body: { batch: ['{{image}}'] } },
      input: { scale: '1/255', layout: 'NCHW' },
      response: { items: 'out', values: '@' },
      answer: { kind: 'probabilities' },
    });
    const images = gradientImages(1);
    expect(await opened.ask(images)).toEqual([[0.2, 0.5, 0.3]]);
    const { batch } = JSON.parse(opened.hosted.received[0]!.body.toString()) as { batch: number[][][][] };
    expect([batch.length, batch[0]!.length, batch[0]![0]!.length, batch[0]![0]![0]!.length]).toEqual([1, 1, 4, 6]);
    expect(batch[0]![0]![1]![2]).toBeCloseTo(images.pixels[8]! / 255, 6);
  });

  it('the answer cache knows an image by its pixels and settings, not by the bytes of an encoder', async () => {
    await using png = await open(answering(sure), { request: { format: 'raw' }, response, answer: named });
    const input = { picture: 'jpeg' };
    await using jpeg = await open(answering(sure), { request: { format: 'raw' }, input, response, answer: named });
    const images = gradientImages(2);
    const one = png.teacher.canonicalRequests(images);
    const two = jpeg.teacher.canonicalRequests(images);
    expect(Buffer.from(one.bytes)).toEqual(Buffer.from(images.pixels));
    expect(one.header).not.toBe(two.header);
  });
});

describe('http-json - presets of the well-known shapes', () => {
  it('label-score', async () => {
    const body = [
      { label: 'dog', score: 0.75 },
      { label: 'cat', score: 0.2 },
    ];
    await using opened = await open(answering(body), { preset: 'label-score', answer: { labels } });
    expect(await opened.ask()).toEqual([[0.2, 0.75, 0.05]]);
  });

  it('label-annotations - several images, one of them failed, one without any label', async () => {
    const handler = answering({
      responses: [
        {
          labelAnnotations: [
            { description: 'Cat', score: 0.9 },
            { description: 'Fur', score: 0.8 },
          ],
        },
        { error: { code: 3, message: 'Bad image data.' } },
        {},
      ],
    });
    const answer = { labels: [['Cat', 'Kitten'], 'Dog', 'Bird'] };
    await using opened = await open(handler, { preset: 'label-annotations', answer });
    const [first, second, third] = await opened.ask(gradientImages(3));
    expect((first as number[])[0]).toBeGreaterThan(0.99);
    expect(second).toContain('ITEM_FAILED: the teacher says of this image: {"code":3');
    expect(third).toBe('abstained: empty');
    const sent = JSON.parse(opened.hosted.received[0]!.body.toString()) as { requests: { features: object[] }[] };
    expect(sent.requests).toHaveLength(3);
    expect(sent.requests[2]!.features).toEqual([{ type: 'LABEL_DETECTION', maxResults: 50 }]);
  });

  it('labels-confidence - percentages, each by itself', async () => {
    const body = {
      Labels: [
        { Name: 'Cat', Confidence: 60 },
        { Name: 'Dog', Confidence: 20 },
        { Name: 'Sofa', Confidence: 99 },
      ],
    };
    const answer = { labels: ['Cat', 'Dog', 'Bird'], sigmoids: 'shares' };
    await using opened = await open(answering(body), { preset: 'labels-confidence', answer });
    expect(await opened.ask()).toEqual([[0.75, 0.25, 0]]);
  });

  it('tag-predictions - all tags, and the key in a header of its own', async () => {
    const body = { predictions: labels.map((tagName, n) => ({ tagName, probability: [0.1, 0.2, 0.7][n] })) };
    const auth = { header: 'Prediction-Key', env: 'KEY' };
    const declared = { preset: 'tag-predictions', answer: { labels }, auth };
    await using opened = await open(answering(body), declared, { KEY: 'k-123456' });
    expect(await opened.ask()).toEqual([[0.1, 0.2, 0.7]]);
    expect(opened.hosted.received[0]!.headers['prediction-key']).toBe('k-123456');
  });

  it('concepts - a status an image inside a 200', async () => {
    const concepts = [
      { name: 'bird', value: 0.9 },
      { name: 'dog', value: 0.9 },
      { name: 'tree', value: 0.99 },
    ];
    const body = {
      status: { code: 10010, description: 'Mixed Success' },
      outputs: [
        { status: { code: 10000 }, data: { concepts } },
        { status: { code: 30002, description: 'Download failed' }, data: null },
      ],
    };
    await using opened = await open(answering(body), { preset: 'concepts', answer: { labels } });
    const [first, second] = await opened.ask(gradientImages(2));
    expect(first).toEqual([0, 0.5, 0.5]);
    expect(second).toContain('Download failed');
  });

  it('concepts - a call that failed inside a 200 is a failed call, a throttled one is throttled', async () => {
    const failed = { status: { code: 11009, description: 'Rate exceeded: Too many requests' } };
    await using throttled = await open(answering(failed), { preset: 'concepts', answer: { labels } });
    expect(await throttled.teacher.query(gradientImages(1), signal())).toMatchObject({ kind: 'throttled' });
    const broken = { status: { code: 99009, description: 'Internal error' } };
    await using other = await open(answering(broken), { preset: 'concepts', answer: { labels } });
    expect(await other.teacher.query(gradientImages(1), signal())).toMatchObject({ kind: 'failed' });
  });

  it('a part of a preset can be declared otherwise', async () => {
    const body = [{ label: 'dog', score: 97 }];
    const answer = { labels, percent: true, rest: 'drop' };
    await using opened = await open(answering(body), { preset: 'label-score', answer });
    expect(await opened.ask()).toEqual([[0, 1, 0]]);
  });
});

describe('http-json - answers of other kinds', () => {
  const request = { format: 'raw' };

  it.each<[string, object, object, unknown, unknown]>([
    ['a hard label', { labels: 'class' }, { kind: 'hard-label', labels }, { class: 'bird' }, [0, 0, 1]],
    ['an index as hard label', { labels: 'class' }, { kind: 'hard-label' }, { class: 2 }, [0, 0, 1]],
    [
      'no label at all',
      { labels: 'class', absent: 'abstain' },
      { kind: 'hard-label', labels },
      { class: null },
      'abstained: empty',
    ],
    [
      'a label by which it does not know',
      { labels: 'class' },
      { kind: 'hard-label', labels, abstain: ['unsure'] },
      { class: 'unsure' },
      'abstained: declared',
    ],
    [
      'a label with its confidence',
      { labels: 'top.name', scores: 'top.p' },
      { kind: 'label-confidence', labels },
      { top: { name: 'cat', p: 0.5 } },
      [0.5, 0.25, 0.25],
    ],
    [
      'a table of labels',
      { labels: 'keys(scores)', scores: 'values(scores)' },
      { kind: 'logits', labels },
      { scores: { dog: 1, cat: 1, bird: -1000 } },
      [0.5, 0.5, 0],
    ],
    [
      'scores of which those that are 0 are left out',
      { labels: 'l[].n', scores: 'l[].p' },
      { kind: 'probabilities', labels },
      { l: [{ n: 'cat' }, { n: 'dog', p: 0.25 }, { n: 'bird', p: 0.75 }] },
      [0, 0.25, 0.75],
    ],
    [
      'a row of which those that are 0 are left out',
      { values: 'l[*].p' },
      { kind: 'probabilities' },
      { l: [{ p: 0.25 }, {}, { p: 0.75 }] },
      [0.25, 0, 0.75],
    ],
    [
      'a row below another member, and a gap',
      { values: 'data.p[*].s' },
      { kind: 'probabilities', labels: { 0: 0, 1: 1, 2: 2 } },
      { data: { p: [{ s: 0.25 }, {}, { s: 0.75 }] } },
      [0.25, 0, 0.75],
    ],
    [
      'scores further down, of which those that are 0 are left out, and an element that says nothing',
      { labels: 'p[].l.n', scores: 'p[].l.s' },
      { kind: 'probabilities', labels },
      { p: [{ l: { n: 'cat' } }, {}, { l: { n: 'dog', s: 0.25 } }, { l: null }, { l: { n: 'bird', s: 0.75 } }] },
      [0, 0.25, 0.75],
    ],
    [
      'the whole answer by its sign',
      { values: 'p[*].[$.k, s, t]' },
      { kind: 'probabilities' },
      { k: 0.25, p: [{ s: 0.25, t: 0.5 }] },
      [0.25, 0.25, 0.5],
    ],
    [
      'a path in two steps, the second of which says what stands for nothing',
      { labels: 'l | (@ || `["bird"]`)', scores: 'p | (@ || `[1]`)' },
      { kind: 'probabilities', labels },
      {},
      [0, 0, 1],
    ],
    [
      'a row with its labels in the settings, and a gap',
      { values: 'l[].p' },
      { kind: 'probabilities', labels: { 0: 2, 1: 1, 2: 0 } },
      { l: [{}, { p: 0.25 }, { p: 0.75 }] },
      [0.75, 0.25, 0],
    ],
    [
      'a row with a number that is none',
      { values: 'l[].p' },
      { kind: 'probabilities' },
      { l: [{ p: 0.5 }, { p: null }, { p: 0.5 }] },
      expect.stringContaining("TEXT: the answer can't be read (null is no number)"),
    ],
    [
      'numbers written as text',
      { labels: 'l[].n', scores: 'l[].p' },
      { kind: 'top-k', labels, rest: 'drop' },
      { l: [{ n: 'cat', p: '0.5' }] },
      [1, 0, 0],
    ],
  ])('%s', async (_, response, answer, body, expected) => {
    await using opened = await open(answering(body), { request, response, answer });
    expect(await opened.ask()).toEqual([expected]);
  });

  it.each<[string, unknown, string]>([
    ['another form', { nothing: 1 }, 'ANSWER_UNREADABLE: the answer has nothing at [].label'],
    ['a label that is missing', [{ name: 'cat', score: 0.9 }], 'lacks what [].label names'],
    [
      'a score that is null',
      [
        { label: 'cat', score: null },
        { label: 'dog', score: 0.1 },
      ],
      'null is no number',
    ],
    ['labels and scores at another place', [{ name: 'cat', p: 0.9 }], 'no element of the list has what [].label and'],
    ['scores at another place than the labels', [{ label: 'cat', p: 0.9 }], 'no element of the list has what [].score'],
    ['a score that is a table', [{ label: 'cat', score: {} }], 'no number'],
    ['a label that is a table', [{ label: {}, score: 0.5 }], 'no label'],
  ])('%s is said of its image, and never thrown', async (_, body, expected) => {
    await using opened = await open(answering(body), { preset: 'label-score', answer: { labels } });
    expect(String((await opened.ask())[0])).toContain(expected);
  });

  it.each<[string, unknown, string]>([
    ['fewer answers than images', { r: [[]] }, 'has 1 parts at r for 2 images'],
    ['no list of answers', { r: 7 }, 'has no list at r'],
    ['a page instead of JSON', '<html>sign in</html>', "(text/html) can't be read"],
  ])('%s makes the whole call unreadable', async (_, body, expected) => {
    const handler: HostedHandler = () =>
      typeof body === 'string' ? { body, headers: { 'content-type': 'text/html' } } : { body };
    await using opened = await open(handler, {
      request: { format: 'base64', body: ['{{image}}'] },
      response: { items: 'r', labels: '[].l', scores: '[].s' },
      answer: { kind: 'top-k', labels },
    });
    const said = await opened.ask(gradientImages(2));
    expect(said).toHaveLength(2);
    for (const each of said) expect(each).toContain(expected);
  });
});

describe('http-json - failures', () => {
  const failedConcept = (echo: string) => ({
    status: { code: 30002, description: 'x'.repeat(160) + echo },
    data: null,
  });
  const declared = { preset: 'label-score', answer: { labels } };
  const query = async (handler: HostedHandler, given: AbortSignal = signal()) => {
    await using opened = await open(handler, declared);
    return await opened.teacher.query(gradientImages(1), given);
  };

  it('a body that comes byte by byte ends with the time of the call', async () => {
    const outcome = await query((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const drip = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(drip));
      return undefined;
    }, AbortSignal.timeout(300));
    expect(outcome).toMatchObject({ kind: 'lost' });
  });

  it('a body without end is cut off', async () => {
    const outcome = await query((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const part = Buffer.alloc(1 << 20, 32);
      const more = () => {
        while (!response.destroyed && response.write(part));
      };
      response.on('drain', more);
      more();
      return undefined;
    });
    expect(outcome).toMatchObject({ kind: 'lost' });
    expect('message' in outcome && outcome.message).toContain('longer than');
  });

  it('half an answer is lost', async () => {
    const outcome = await query((_, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('[{"label":');
      setImmediate(() => response.destroy());
      return undefined;
    });
    expect(outcome).toMatchObject({ kind: 'lost' });
  });

  it('a model that is loading says how long', async () => {
    const outcome = await query(() => ({ status: 503, body: { error: 'loading', estimated_time: 12 } }));
    expect(outcome).toMatchObject({ kind: 'throttled', reason: 'loading', retryAfterMs: 12_000 });
  });

  it('what the headers say of limits comes with the answer', async () => {
    const headers = { 'ratelimit-policy': '"m";q=60;w=60', ratelimit: '"m";r=59;t=60' };
    expect(await query(() => ({ headers, body: [] }))).toMatchObject({
      kind: 'answered',
      limits: [{ source: 'RateLimit "m"', limit: 60, remaining: 59 }],
    });
  });

  it('a secret that the server sends back is in no message', async () => {
    const handler: HostedHandler = ({ headers }) => ({ status: 403, body: `no access for ${headers.authorization}` });
    const auth = { scheme: 'Bearer', env: 'TOKEN' };
    await using opened = await open(handler, { ...declared, auth }, { TOKEN: 's3cret-s3cret' });
    const outcome = await opened.teacher.query(gradientImages(1), signal());
    expect(outcome).toMatchObject({ kind: 'refused', code: 'TEACHER_AUTH' });
    expect(JSON.stringify(outcome)).not.toContain('s3cret-s3cret');
  });

  it.each<[string, object, (echo: string) => { status?: number; body: unknown }]>([
    ['of a status', { preset: 'label-score' }, (echo) => ({ status: 500, body: 'x'.repeat(196) + echo })],
    ['of an image that failed', { preset: 'concepts' }, (echo) => ({ body: { outputs: [failedConcept(echo)] } })],
    ['of another form', { preset: 'label-score' }, (echo) => ({ body: { x: 'x'.repeat(190) + echo } })],
    ['of an answer without a list', { preset: 'concepts' }, (echo) => ({ body: { x: 'x'.repeat(190) + echo } })],
    ['of what is no JSON', { preset: 'label-score' }, (echo) => ({ body: `key ${echo}` })],
  ])('a secret that the server sends back is in no message, not even cut off: %s', async (_, settings, answer) => {
    const handler: HostedHandler = ({ headers }) => answer(headers.authorization!);
    const auth = { env: 'TOKEN' };
    const given = { ...settings, answer: { labels }, auth };
    await using opened = await open(handler, given, { TOKEN: 's3cret-s3cret-s3cret-s3cret' });
    const outcome = await opened.teacher.query(gradientImages(1), signal());
    expect(JSON.stringify(outcome)).toMatch(/ITEM_FAILED|UNREADABLE|500/);
    expect(JSON.stringify(outcome)).not.toContain('s3c');
  });

  it('a secret that travels in the address is in the request, and nowhere else', async () => {
    const answers: GivenAnswer[] = [{ status: 403 }, { status: 302 }, { body: [{ label: 'cat', score: 1 }] }];
    const handler: HostedHandler = ({ path }) => {
      const answer = answers.shift()!;
      return { body: `no access for ${path}`, headers: { location: `http://127.0.0.1${path}` }, ...answer };
    };
    const secret = "s3cret/s3cret+s3cret's3cret";
    await using opened = await open(
      handler,
      { ...declared, auth: { query: 'api key', env: 'TOKEN' } },
      { TOKEN: secret },
    );
    const said = [opened.teacher.cacheIdentity, JSON.stringify(await opened.teacher.describe(signal()))];
    for (const expected of ['refused', 'refused', 'answered']) {
      const outcome = await opened.teacher.query(gradientImages(1), signal());
      expect(outcome.kind).toBe(expected);
      said.push(JSON.stringify(outcome));
    }
    for (const { path, headers } of opened.hosted.received) {
      expect(new URL(path, 'http://h').searchParams.get('api key')).toBe(secret);
      expect(headers.authorization).toBeUndefined();
    }
    for (const each of said) expect(each).not.toContain('s3cret');
  });

  it('a parameter with the secret joins those that the address has', async () => {
    await using opened = await open(
      answering([]),
      { ...declared, auth: { query: 'key', env: 'TOKEN' } },
      { TOKEN: 'k-1234567' },
      '/classify?size=a%20b&v',
    );
    await opened.teacher.query(gradientImages(1), signal());
    expect(opened.hosted.received[0]!.path).toBe('/classify?size=a%20b&v&key=k-1234567');
  });

  it('a secret with a line break is refused without showing it', async () => {
    const auth = { env: 'TOKEN' };
    await using opened = await open(answering([]), { ...declared, auth }, { TOKEN: 'abcdef\nghijkl' });
    await expect(opened.teacher.query(gradientImages(1), signal())).rejects.toMatchObject({
      code: 'SECRET_UNUSABLE',
      message: expect.not.stringContaining('abcdef') as string,
    });
  });
});

describe('http-json - settings that are refused', () => {
  const base = { adapter: 'http-json', url: 'http://127.0.0.1:1/x' };
  const raw = { ...base, request: { format: 'raw' }, response: { labels: '[].l', scores: '[].s' } };
  it.each([
    ['no request', base, 'teachers.t.request.format is missing: say how images travel, or name a preset'],
    ['an unknown preset', { ...base, preset: 'oracle' }, 'teachers.t.preset'],
    ['no response', { ...base, request: { format: 'raw' } }, 'exactly one of labels and values'],
    ['labels and a row', { ...raw, response: { labels: 'a', values: 'b' } }, 'exactly one of labels and values'],
    ['a path that is none', { ...raw, response: { labels: '[[', scores: 's' } }, 'is no JMESPath expression'],
    ['no place for the image', { ...raw, request: { format: 'base64', body: {} } }, 'has no "{{image}}"'],
    ['a body of a raw request', { ...raw, request: { format: 'raw', body: {} } }, 'request.body is not for format raw'],
    ['a field without a form', { ...raw, request: { format: 'raw', field: 'x' } }, 'only for format multipart'],
    [
      'a secret among the headers',
      { ...raw, request: { format: 'raw', headers: { 'X-Api-Key': 'k' } } },
      'belongs into auth',
    ],
    [
      'several images in a raw body',
      { ...raw, limits: { imagesPerCall: 2 } },
      'such a request holds one image: set it to 1',
    ],
    [
      'several images without a list of answers',
      { ...raw, request: { format: 'base64', body: ['{{image}}'] } },
      'response.items is missing',
    ],
    ['labels without scores', { ...raw, response: { labels: 'l' } }, 'hard-label has none'],
    ['scores beside a row', { ...raw, response: { values: 'v', scores: 's' } }, 'contradicts response.values'],
    ['a preset of another adapter', { adapter: 'fake', preset: 'concepts' }, 'only for adapter http-json'],
    ['an unknown key', { ...raw, response: { lables: 'x' } }, 'Did you mean "labels"?'],
    ['bytes', { ...raw, input: { datatype: 'BYTES' } }, 'BYTES is not for adapter http-json'],
    ['a label twice', { ...raw, answer: { labels: ['a', ['b', 'a']] } }, 'each label once'],
    ['a threshold of logits', { ...raw, answer: { kind: 'logits', threshold: 0.5 } }, 'answer.threshold is for'],
    [
      'a temperature of probabilities',
      { ...raw, answer: { kind: 'top-k', temperature: 2 } },
      'answer.temperature is for',
    ],
    ['percent of logits', { ...raw, answer: { kind: 'logits', percent: true } }, 'answer.percent contradicts'],
    [
      'other labels of none',
      { ...raw, answer: { kind: 'top-k', other: 'spread' } },
      'answer.other needs answer.labels',
    ],
  ])('%s', (_, value, message) => {
    expect(() => parseTeacherConfig('t', value)).toThrow(message);
  });
});
