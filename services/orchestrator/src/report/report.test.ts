import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { CancelledError, FailedPreconditionError, RandomStream } from '@bbdistill/common';
import type { ImageShape } from '@bbdistill/common';
import { confusionFigure, mostConfused } from './confusion-figure.js';
import { curvesFigure, niceTicks } from './curves-figure.js';
import { PRINT_PALETTE, escape, fitText, svg, text, textWidth } from './drawing.js';
import { drawReport, prepareToDraw } from './draw-beside.js';
import type { AnsweredImages, ReportInput } from './input.js';
import { MAX_PNG_SIDE, pngDataUri, rasterise } from './png.js';
import { encodeReport } from './files.js';
import { renderReport, renderSamples } from './render.js';
import { reportSchema } from './report-schema.js';
import type { QueryCountsReport, Report } from './report-schema.js';
import { money, renderTable } from './table.js';

function counts(some: Partial<QueryCountsReport> = {}): QueryCountsReport {
  const none = { asked: 0, cached: 0, coalesced: 0, billed: 0, failed: 0, retried: 0, unresolved: 0, settled: 0 };
  return { ...none, unknown: 0, ...some };
}

function exampleReport(changes: Partial<Report> = {}): Report {
  return {
    schema: 1,
    run: { id: 'run-1', name: 'demo', seed: 7, status: 'succeeded' },
    versions: { bbdistill: '0.1.0' },
    student: { network: 'lenet5-half', parameters: 25_294, engine: 'wasm' },
    accuracy: 0.8484,
    macroF1: 0.84,
    agreementWithTeacher: 0.8657,
    teacherAccuracy: 0.9015,
    baselines: { standardKd: { accuracy: 0.8387 } },
    queries: {
      ...counts({ asked: 50, cached: 10, coalesced: 2, billed: 35, failed: 1, unresolved: 2, settled: 34, unknown: 1 }),
      byPhase: {
        seeds: counts({ asked: 20, cached: 10, billed: 10, settled: 10 }),
        mixup: counts({ asked: 25, coalesced: 2, billed: 22, failed: 1, settled: 21, unknown: 1 }),
        cvae: counts({ asked: 5, billed: 3, unresolved: 2, settled: 3 }),
      },
      evaluation: counts(),
    },
    cost: { amount: 0.0525, currency: 'USD' },
    seconds: { label: 1, fit: 2, synthesise: 3, train: 4, evaluate: 5, total: 75 },
    peakRssBytes: 100 * 1024 ** 2,
    ...changes,
  };
}

function answered(count: number, shape: ImageShape, classes: number): AnsweredImages {
  const random = new RandomStream(1, 'report-test');
  const pixels = Uint8Array.from({ length: count * shape.height * shape.width * shape.channels }, () =>
    random.integer(256),
  );
  const targets = new Float32Array(count * classes);
  for (let n = 0; n < count; n++) {
    targets[n * classes + (n % classes)] = 0.75;
    targets[n * classes + ((n + 1) % classes)] = 0.25;
  }
  const rows = new Uint8Array(count).fill(1);
  return { images: { count, shape, pixels }, answers: { count, classes, targets, answered: rows } };
}

function exampleInput(classes = 3, changes: Partial<ReportInput> = {}): ReportInput {
  const shape = { height: 8, width: 8, channels: 1 };
  return {
    report: exampleReport(),
    classNames: Array.from({ length: classes }, (_, i) => `kind ${i}`),
    classes,
    teacher: { name: 'metered', adapter: 'open-inference-http' },
    samples: {
      real: answered(4, shape, classes),
      mixup: answered(4, shape, classes),
      cvae: answered(4, shape, classes),
    },
    mixedBy: ['MixUp', 'CutMix'],
    curves: {
      student: [
        { epoch: 1, loss: 2 },
        { epoch: 2, loss: 1 },
      ],
      baseline: [{ epoch: 1, loss: 3 }],
      cvae: [
        { epoch: 1, loss: 200 },
        { epoch: 2, loss: 150 },
      ],
    },
    confusion: {
      matrix: Int32Array.from({ length: classes ** 2 }, (_, i) => (i % (classes + 1) === 0 ? 9 : 1)),
      rows: 'true',
    },
    dataset: [['real images', '20']],
    settings: [['student.epochs', '2']],
    ...changes,
  };
}

async function rendered(input: ReportInput): Promise<Map<string, Uint8Array>> {
  const { files } = await renderReport(input);
  return new Map(files.map(({ path, bytes }) => [path, bytes]));
}

async function pageOf(input: ReportInput): Promise<string> {
  return new TextDecoder().decode((await rendered(input)).get('report.html'));
}

describe('report files', () => {
  it('are five, twice the same bytes, and the JSON fits its schema', async () => {
    const files = await rendered(exampleInput());
    expect([...files.keys()]).toEqual(['report.json', 'report.html', 'samples.png', 'curves.png', 'confusion.png']);
    expect(await rendered(exampleInput())).toEqual(files);
    const json = JSON.parse(new TextDecoder().decode(files.get('report.json'))) as Report;
    expect(reportSchema.parse(json)).toEqual(exampleReport());
    expect(json.schema).toBe(1);
  });

  it('drawn beside, several at once, are the same to the byte', async () => {
    const files = await rendered(exampleInput());
    const others = exampleInput(2);
    const drawn = await Promise.all([drawReport(exampleInput()), drawReport(others)]);
    expect(new Map(drawn[0].files.map(({ path, bytes }) => [path, new Uint8Array(bytes)]))).toEqual(
      new Map([...files].map(([path, bytes]) => [path, new Uint8Array(bytes)])),
    );
    expect(drawn[1].files.map(({ path }) => path)).toEqual([...files.keys()]);
  });

  it('drawn beside, by a process that was made ready, are the same to the byte', async () => {
    const files = await rendered(exampleInput());
    prepareToDraw();
    prepareToDraw();
    const drawn = await drawReport(exampleInput());
    expect(new Map(drawn.files.map(({ path, bytes }) => [path, new Uint8Array(bytes)]))).toEqual(
      new Map([...files].map(([path, bytes]) => [path, new Uint8Array(bytes)])),
    );
  });

  it('drawn beside, one out of its schema is refused, and the next one is drawn', async () => {
    const bad = exampleInput(3, { report: exampleReport({ accuracy: 84.8 }) });
    const [refused, drawn] = await Promise.allSettled([drawReport(bad), drawReport(exampleInput())]);
    expect(refused).toMatchObject({ reason: { code: 'REPORT_SCHEMA' } });
    expect(drawn.status).toBe('fulfilled');
  });

  it('drawn beside, one that is not wanted any more is not begun', async () => {
    await expect(drawReport(exampleInput(), AbortSignal.abort())).rejects.toThrow(CancelledError);
  });

  it('one of whose figures can not be drawn goes without it, and says so', async () => {
    const real = answered(4, { height: 8, width: 8, channels: 1 }, 3);
    real.images.shape = { height: 200, width: 200, channels: 1 };
    const notes = ['as it was'];
    const { files, undrawn } = await renderReport(
      exampleInput(3, { samples: { real }, report: exampleReport({ notes }) }),
    );
    expect(undrawn).toEqual([expect.stringMatching(/^the samples could not be drawn: ./)]);
    expect(files.map(({ path }) => path)).toEqual(['report.json', 'report.html', 'curves.png', 'confusion.png']);
    const [json, page] = files.map(({ bytes }) => new TextDecoder().decode(bytes));
    expect((JSON.parse(json!) as Report).notes).toEqual([...notes, ...undrawn]);
    expect(page).toContain('the samples could not be drawn');
    expect(page).toContain('aria-label="Confusion matrix of 3 classes"');
  });

  it('drawn beside, by a process that dies, go without figures', async () => {
    const died = new FailedPreconditionError('the process ended with SIGKILL', { code: 'WORKER_DIED' });
    const { signal } = new AbortController();
    const { files, undrawn } = await drawReport(exampleInput(), signal, () => Promise.reject(died));
    expect(files.map(({ path }) => path)).toEqual(['report.json', 'report.html']);
    expect(undrawn).toHaveLength(3);
    expect(undrawn.at(-1)).toBe('the confusion matrix could not be drawn: the process ended with SIGKILL');
  });

  it('the JSON keeps its key order whatever order it is given, and keeps added fields', () => {
    const report = exampleReport({ extra: 5 });
    const reversed = Object.fromEntries(Object.entries(report).reverse()) as Report;
    expect(encodeReport(reversed)).toEqual(encodeReport(report));
    expect(new TextDecoder().decode(encodeReport(report))).toContain('"extra": 5');
  });

  it('a report out of its schema is refused, naming the field', () => {
    expect(() => encodeReport(exampleReport({ accuracy: 84.8 }))).toThrow(/accuracy/);
    expect(() => encodeReport(exampleReport({ peakRssBytes: NaN }))).toThrow(/peakRssBytes/);
  });

  it('the PNGs are pictures, dense enough for print', async () => {
    const files = await rendered(exampleInput());
    for (const name of ['samples.png', 'curves.png', 'confusion.png']) {
      const { width } = await sharp(files.get(name)).metadata();
      expect(width).toBeGreaterThan(1000);
    }
  });

  it('samples by themselves - are as wide as they need, and their title whole', async () => {
    const widths: number[] = [];
    for (const count of [1, 4, 10, 24]) {
      const png = await renderSamples('Real images', answered(count, { height: 8, width: 8, channels: 1 }, 3), [
        'a',
        'b',
      ]);
      widths.push((await sharp(png).metadata()).width);
    }
    const [one, four, ten, more] = widths;
    expect(four! / ten!).toBeCloseTo(438 / 1038, 2);
    expect(more).toBe(ten);
    // The title needs more than one picture does.
    expect(one! / ten!).toBeGreaterThan(300 / 1038);
  });

  it.each([
    [1, 28, 28],
    [3, 32, 20],
    [3, 160, 160],
  ])('a sample of %i channels, %i x %i, is embedded as it is', async (channels, height, width) => {
    const { images } = answered(2, { height, width, channels }, 3);
    const uri = await pngDataUri(images, 1);
    const { data, info } = await sharp(Buffer.from(uri.slice(uri.indexOf(',') + 1), 'base64'))
      .toColourspace(channels === 1 ? 'b-w' : 'srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ height, width, channels });
    expect(new Uint8Array(data)).toEqual(images.pixels.slice(data.length));
  });

  it('a large sample is embedded reduced', async () => {
    const uri = await pngDataUri(answered(1, { height: 200, width: 400, channels: 3 }, 3).images, 0);
    const { height, width } = await sharp(Buffer.from(uri.slice(uri.indexOf(',') + 1), 'base64')).metadata();
    expect([height, width]).toEqual([80, 160]);
  });

  it('text renders with the fonts that the package carries', async () => {
    const inkOf = async (content: string) => {
      const body = [text(5, 25, content, { size: 20, fill: PRINT_PALETTE.ink })];
      const pixels = await sharp((await rasterise([svg(200, 40, 'x', PRINT_PALETTE, body)]))[0])
        .greyscale()
        .raw()
        .toBuffer();
      return pixels.reduce((dark, value) => dark + (value < 128 ? 1 : 0), 0);
    };
    expect(await inkOf('')).toBe(0);
    const once = await inkOf('mm');
    expect(once).toBeGreaterThan(100);
    expect(await inkOf('mmmm')).toBeGreaterThan(1.8 * once);
  });
});

describe('report page', () => {
  it('needs nothing from outside and runs no script', async () => {
    const page = await pageOf(exampleInput());
    expect(page).toContain("default-src 'none'");
    expect(page).not.toMatch(/<script|<link|@import|url\(/);
    const addresses = [...page.matchAll(/(?:href|src)="([^"]*)"/g)].map(([, address]) => address!);
    expect(addresses.length).toBe(12);
    expect(addresses.every((address) => address.startsWith('data:image/png;base64,'))).toBe(true);
  });

  it('shows what was paid with the identities, and marks one that does not hold', async () => {
    const good = await pageOf(exampleInput());
    expect(good).toContain('50 asked = 10 cached + 2 coalesced + 35 billed + 1 failed + 2 unresolved');
    expect(good).toContain('35 billed = 34 settled + 1 unknown');
    expect(good).not.toContain('✗');
    const report = exampleReport();
    report.queries.asked = 51;
    expect(await pageOf(exampleInput(3, { report }))).toContain('✗ the sum is 50');
  });

  it('shows all that was paid as paid', async () => {
    const report = exampleReport({ cost: { amount: 42, training: 39, currency: 'USD' } });
    const page = await pageOf(exampleInput(3, { report }));
    expect(page).toContain('Paid: 42.00 USD');
    expect(page.match(/39\.00 USD/g)).toHaveLength(1);
  });

  it('escapes every name that a user gives, in page and figures', async () => {
    const evil = '<script>alert("x")</script>&\u0000';
    const report = exampleReport({ notes: [evil], versions: { [evil]: evil } });
    report.run = { ...report.run, name: evil, id: evil };
    report.student = { ...report.student, network: evil };
    const page = await pageOf(
      exampleInput(2, {
        report,
        classNames: [evil, '"><img src=x>'],
        teacher: { name: evil, adapter: evil, endpoint: evil },
        dataset: [[evil, evil]],
        settings: [[evil, evil]],
      }),
    );
    expect(page).not.toContain('<script');
    expect(page).not.toContain('<img');
    expect(page).not.toContain('\u0000');
    expect(page).toContain('&lt;script&gt;');
  });

  it('goes without test set, CVAE images, baseline, curves and confusion matrix', async () => {
    const report = exampleReport({
      accuracy: null,
      macroF1: null,
      agreementWithTeacher: null,
      teacherAccuracy: null,
      baselines: { standardKd: null },
    });
    const { confusion: _confusion, ...input } = exampleInput(3, { report, samples: {}, curves: { student: [] } });
    const page = await pageOf(input);
    expect(page).toContain('accuracy is not known');
    expect(page).toContain('No samples were kept');
    expect(page).toContain('No losses were recorded');
    expect(page).toContain('no test images with labels or answers');
    expect(page).not.toMatch(/NaN|undefined|null/);
  });

  it('shows colour images and names an image without an answer', async () => {
    const real = answered(2, { height: 4, width: 6, channels: 3 }, 3);
    real.answers.answered[1] = 0;
    const page = await pageOf(exampleInput(3, { samples: { real } }));
    expect(page).toContain('no answer');
    const uri = /href="data:image\/png;base64,([^"]+)"/.exec(page)![1]!;
    const { data, info } = await sharp(Buffer.from(uri, 'base64')).raw().toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: 6, height: 4, channels: 3 });
    expect([...data]).toEqual([...real.images.pixels.subarray(0, 72)]);
  });

  it('tells how to feed the student its own shape', async () => {
    const real = answered(2, { height: 32, width: 30, channels: 3 }, 3);
    const page = await pageOf(exampleInput(3, { samples: { real } }));
    expect(page).toContain('np.zeros((1, 32, 30, 3), np.uint8)');
    expect(page).toContain('tf.zeros([1, 32, 30, 3])');
  });
});

describe('report figures', () => {
  it('names beside a confusion matrix never overlap, from 2 to 100 classes', () => {
    for (const classes of [2, 10, 43, 100]) {
      const matrix = new Int32Array(classes ** 2).fill(12345);
      const names = Array.from({ length: classes }, (_, i) => `a rather long class name ${i}`);
      const figure = confusionFigure({ matrix, rows: 'true' }, classes, names, PRINT_PALETTE);
      const rows = [...figure.svg.matchAll(/y="([\d.]+)" font-size="([\d.]+)"[^>]*text-anchor="end"/g)];
      expect(rows.length).toBeGreaterThan(1);
      for (let i = 1; i < rows.length; i++) {
        expect(Number(rows[i]![1]) - Number(rows[i - 1]![1])).toBeGreaterThanOrEqual(Number(rows[i]![2]));
      }
      expect(figure.width).toBeLessThan(1400);
    }
  });

  it.each([150, 1000])('a confusion matrix of %i classes is a picture that memory has room for', async (classes) => {
    const matrix = new Int32Array(classes ** 2);
    for (let n = 0; n < classes; n++) matrix[n * classes + n] = 40;
    const [row, column] = [Math.floor(classes / 5), Math.floor(classes / 2)];
    const pictureOf = async () =>
      sharp((await rasterise([confusionFigure({ matrix, rows: 'true' }, classes, [], PRINT_PALETTE)]))[0])
        .raw()
        .toBuffer({ resolveWithObject: true });
    const before = await pictureOf();
    expect(Math.max(before.info.width, before.info.height)).toBeLessThanOrEqual(MAX_PNG_SIDE);
    matrix[row * classes + column] = 10;
    const after = await pictureOf();
    // One confusion among all those cells can be seen also where the picture is shown at a quarter of its size.
    let changed = 0;
    for (let at = 0; at < after.data.length; at += 3)
      if (Math.abs(after.data[at + 2]! - before.data[at + 2]!) > 40) changed++;
    expect(changed).toBeGreaterThan(8 * 8);
  });

  it('of more confusions than can be told apart, only the frequent ones are drawn', () => {
    const classes = 400;
    const matrix = new Int32Array(classes ** 2).fill(1);
    matrix[5] = 400;
    const { svg: drawn } = confusionFigure({ matrix, rows: 'true' }, classes, [], PRINT_PALETTE);
    expect(drawn).toContain('only those of more than 0.25 % of a row are drawn');
    expect(drawn.match(/M[\d.]+ /g)).toHaveLength(classes + 1);
  });

  it('a row without images leaves its cells blank', () => {
    const figure = confusionFigure({ matrix: Int32Array.of(0, 0, 1, 3), rows: 'teacher' }, 2, [], PRINT_PALETTE);
    expect(figure.svg).not.toContain('NaN');
    expect(figure.svg).toContain('teacher’s class');
  });

  it('the most confused pairs come first and leave the diagonal out', () => {
    const matrix = Int32Array.of(9, 1, 0, 4, 5, 0, 0, 2, 8);
    expect(mostConfused({ matrix, rows: 'true' }, 3, 2)).toEqual([
      { reference: 1, student: 0, images: 4, share: 4 / 9 },
      { reference: 2, student: 1, images: 2, share: 0.2 },
    ]);
  });

  it('losses that are no numbers are left out of the curves', () => {
    const student = [
      { epoch: 1, loss: 2 },
      { epoch: 2, loss: NaN },
      { epoch: 3, loss: 1 },
    ];
    const figure = curvesFigure(exampleInput(3, { curves: { student } }), PRINT_PALETTE);
    expect(figure.svg).not.toContain('NaN');
    expect(/points="([^"]+)"/.exec(figure.svg)![1]!.split(' ')).toHaveLength(2);
  });

  it('ticks are round and cover the range', () => {
    expect(niceTicks(0, 50, 5)).toEqual([0, 10, 20, 30, 40, 50]);
    expect(niceTicks(0.41, 1.9, 5)).toEqual([0, 0.5, 1, 1.5, 2]);
    for (const [low, high] of [
      [3, 3],
      [0, 0],
      [1e-7, 2e-7],
      [235, 415],
    ] as const) {
      const ticks = niceTicks(low, high, 5);
      expect(ticks[0]).toBeLessThanOrEqual(low);
      expect(ticks.at(-1)).toBeGreaterThanOrEqual(high);
      expect(ticks.at(-1)).toBeGreaterThan(ticks[0]!);
    }
  });

  it('text is cut to the width that it has', () => {
    expect(fitText('Bag', 10, 60)).toBe('Bag');
    const cut = fitText('Ankle boot of leather', 10, 60);
    expect(cut.endsWith('…')).toBe(true);
    expect(textWidth(cut, 10)).toBeLessThanOrEqual(60);
  });

  it('escaping makes lone surrogates and control characters harmless', () => {
    expect(escape('a<b>&"\'\ud800\u0007')).toBe('a&lt;b&gt;&amp;&quot;&#39;??');
  });
});

describe('report table', () => {
  it('lines up teacher, standard KD and FS-BBT', () => {
    const lines = renderTable(exampleReport()).trimEnd().split('\n');
    expect(lines).toHaveLength(5);
    expect(lines[0]).toMatch(/accuracy +macro-F1 +agreement +queries +billed +cost$/);
    expect(lines[2]).toMatch(/^Teacher +90\.15 %/);
    expect(lines[3]).toMatch(/^Standard KD, real images only +83\.87 % +– +– +20 +10 +–$/);
    expect(lines[4]).toMatch(/^FS-BBT +84\.84 % +84\.00 % +86\.57 % +50 +35 +0\.05 USD$/);
  });

  it('has the cost of what is counted beside it, without evaluation', () => {
    const cost = { amount: 42, training: 39, currency: 'USD' };
    expect(renderTable(exampleReport({ cost }))).toMatch(/FS-BBT .* 39\.00 USD$/m);
  });

  it('leaves out a baseline that was not trained and shows what is not known as a dash', () => {
    const table = renderTable(exampleReport({ accuracy: null, baselines: { standardKd: null } }));
    expect(table).not.toContain('Standard KD');
    expect(table).toMatch(/FS-BBT +– /);
  });

  it('money is shown in its currency, small amounts with more digits', () => {
    expect(money({ amount: 39.75, currency: 'USD' })).toBe('39.75 USD');
    expect(money({ amount: 0.0015, currency: 'EUR' })).toBe('0.0015 EUR');
    expect(money({ amount: 0, currency: '' })).toBe('free');
  });
});
