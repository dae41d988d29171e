import { escape, grouped, percent } from './drawing.js';
import type { Figure } from './drawing.js';
import { mostConfused } from './confusion-figure.js';
import { classNameOf, mixedTitle } from './input.js';
import type { ReportInput } from './input.js';
import type { QueryCountsReport, Report } from './report-schema.js';
import { COMPARISON_HEAD, comparisonRows, money } from './table.js';

const STYLE = `
:root{color-scheme:light dark;--page:#f4f6f9;--paper:#fff;--ink:#1b2330;--muted:#5c6675;--line:#dde2e9;--first:#2563b8;--second:#c2570c;--on-first:#fff;--code:#f0f3f7}
@media(prefers-color-scheme:dark){:root{--page:#11151b;--paper:#191f28;--ink:#e6eaf0;--muted:#98a3b3;--line:#303947;--first:#6ea8f5;--second:#f0955a;--on-first:#0d1117;--code:#11161d}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1100px;margin:0 auto;padding:24px 16px 64px}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:36px 0 12px}
p{margin:0 0 12px;overflow-wrap:anywhere}
.sub,.note{color:var(--muted)}
.card{background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:16px}
.figure{padding:0;overflow-x:auto}
.figure svg{display:block;min-width:720px;width:100%;height:auto;border-radius:10px}
.pixels{image-rendering:pixelated}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(132px,1fr));gap:12px;margin:20px 0}
.tile b{display:block;white-space:nowrap;font-size:1.15rem;line-height:1.2;font-variant-numeric:tabular-nums}
.tile{padding:12px}
.tile span{color:var(--muted);font-size:.85rem}
.tile.main{border-color:var(--first)}
.tile.main b{color:var(--first)}
.scroll{overflow-x:auto}
.narrow{max-width:720px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:7px 10px;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left;white-space:normal;min-width:8.5rem}
td.text{text-align:left;white-space:normal;overflow-wrap:anywhere}
thead th{color:var(--muted);font-weight:600;font-size:.85rem}
tr:last-child td{border-bottom:0}
tr.strong td{font-weight:600}
.ok{color:var(--first)}.bad{color:var(--second);font-weight:600}
.identities{margin:14px 0 0;padding:0;list-style:none;font-variant-numeric:tabular-nums}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:16px}
pre{background:var(--code);border:1px solid var(--line);border-radius:8px;padding:14px;overflow-x:auto;font:13px/1.5 ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;margin:0 0 14px}
h3{font-size:.95rem;margin:0 0 8px}
footer{color:var(--muted);font-size:.85rem;margin-top:40px}`;

export interface PageFigures {
  samples: Figure;
  curves: Figure;
  confusion: Figure;
}

/** The whole page: no script, nothing fetched. */
export function renderHtml(input: ReportInput, figures: PageFigures): string {
  const { report } = input;
  const title = report.run.name || report.run.id;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>${escape(title)} - distillation report</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escape(title)}</h1>
<p class="sub">${escape(summary(input))}</p>
${tiles(report)}
<h2>Compared</h2>
<div class="card scroll">${comparison(report)}</div>
${notes(report)}
<h2>Samples</h2>
<div class="card figure" tabindex="0">${figures.samples.svg}</div>
<h2>Learning curves</h2>
<div class="card figure" tabindex="0">${figures.curves.svg}</div>
<h2>Where the student errs</h2>
<div class="card figure" tabindex="0">${figures.confusion.svg}</div>
${confused(input)}
<h2>What was paid</h2>
<div class="card"><div class="scroll">${paid(input)}</div>${identities(report)}</div>
<h2>Time and memory</h2>
<div class="card scroll">${timings(report)}</div>
<h2>Data and settings</h2>
<div class="columns">
<div class="card scroll">${pairs('Data and teacher', [...input.dataset, ...teacherPairs(input)])}</div>
<div class="card scroll">${pairs('Settings', [...input.settings, ...versionPairs(report)])}</div>
</div>
<h2>Use the student</h2>
${snippets(input)}
<footer>Run ${escape(report.run.id)}, seed ${report.run.seed}. The same figures are in report.json. Method: Nguyen, Gupta, Do,
Venkatesh, “Black-box Few-shot Knowledge Distillation”, ECCV 2022.</footer>
</main>
</body>
</html>
`;
}

function summary({ report, teacher, classes }: ReportInput): string {
  const images = report.images;
  const from = images
    ? `${grouped(images.real)} real and ${grouped(images.synthetic)} synthetic images`
    : 'a few images';
  return (
    `${report.student.network} (${grouped(report.student.parameters)} parameters, ${classes} classes), ` +
    `distilled from the black box “${teacher.name}” with ${from}. Status: ${report.run.status}.`
  );
}

function tiles(report: Report): string {
  const tile = (value: string, label: string, main = false) =>
    `<div class="card tile${main ? ' main' : ''}"><b>${escape(value)}</b><span>${escape(label)}</span></div>`;
  const baseline = report.baselines.standardKd;
  const measured =
    report.accuracy === null
      ? tile(percent(report.agreementWithTeacher), 'agreement with the teacher', true)
      : tile(percent(report.accuracy), 'student’s test accuracy', true);
  const rest = [
    report.accuracy === null ? '' : tile(percent(report.agreementWithTeacher), 'agreement with the teacher'),
    report.teacherAccuracy === null ? '' : tile(percent(report.teacherAccuracy), 'teacher’s test accuracy'),
    baseline ? tile(percent(baseline.accuracy), 'standard KD') : '',
    tile(grouped(report.queries.billed), 'images billed'),
    tile(money(report.cost), 'paid'),
    tile(duration(report.seconds.total), 'in all'),
  ];
  return `<div class="tiles">${measured}${rest.join('')}</div>`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[], strong = -1): string {
  const cells = (row: readonly string[]) => row.map((cell) => `<td>${escape(cell)}</td>`).join('');
  return (
    `<table><thead><tr>${head.map((cell) => `<th>${escape(cell)}</th>`).join('')}</tr></thead><tbody>` +
    rows.map((row, i) => `<tr${i === strong ? ' class="strong"' : ''}>${cells(row)}</tr>`).join('') +
    '</tbody></table>'
  );
}

function comparison(report: Report): string {
  const rows = comparisonRows(report);
  return table(COMPARISON_HEAD, rows, rows.length - 1);
}

function notes(report: Report): string {
  const said = [...(report.notes ?? [])];
  if (report.accuracy === null) said.unshift('There were no test images with true labels, so accuracy is not known.');
  if (said.length === 0) return '';
  return `<ul class="note">${said.map((note) => `<li>${escape(note)}</li>`).join('')}</ul>`;
}

function confused({ confusion, classes, classNames }: ReportInput): string {
  if (!confusion) return '';
  const rows = mostConfused(confusion, classes, 8).map(({ reference, student, images, share }) => [
    `${classNameOf(classNames, reference)} → ${classNameOf(classNames, student)}`,
    grouped(images),
    percent(share, 1),
  ]);
  if (rows.length === 0) return '';
  const head = [
    confusion.rows === 'true' ? 'true class → student' : 'teacher’s class → student',
    'images',
    'of the class',
  ];
  return `<h3 style="margin-top:18px">Most often confused</h3><div class="card scroll narrow">${table(head, rows)}</div>`;
}

const COUNTS = ['asked', 'cached', 'coalesced', 'billed', 'failed', 'unresolved', 'unknown', 'retried'] as const;

function paid(input: ReportInput): string {
  const { queries } = input.report;
  const row = (name: string, counts: QueryCountsReport) => [name, ...COUNTS.map((key) => grouped(counts[key]))];
  const rows = [
    row('real images', queries.byPhase.seeds),
    row(mixedTitle(input), queries.byPhase.mixup),
    row('CVAE images', queries.byPhase.cvae),
    row('training, total', queries),
    row('evaluation (apart)', queries.evaluation),
  ];
  return table(['images', ...COUNTS.map((key) => (key === 'retried' ? 'calls retried' : key))], rows, 3);
}

/** Both sides of each identity with numbers, so that a reader can check the bill. */
function identities(report: Report): string {
  const q = report.queries;
  const settled = q.settled ?? q.billed - q.unknown;
  const reasked = q.reasked ?? 0;
  const item = (left: number, name: string, parts: readonly (readonly [string, number])[], twice = 0) => {
    const sum = parts.reduce((total, [, value]) => total + value, 0) - twice;
    const paidTwice = twice > 0 ? ` − ${grouped(twice)} asked again after a lost answer` : '';
    const right = parts.map(([part, value]) => `${grouped(value)} ${part}`).join(' + ') + paidTwice;
    const mark = sum === left ? '<span class="ok">✓</span>' : `<span class="bad">✗ the sum is ${grouped(sum)}</span>`;
    return `<li>${grouped(left)} ${name} = ${right} ${mark}</li>`;
  };
  const { seeds, mixup, cvae } = q.byPhase;
  return `<ul class="identities">${[
    item(
      q.asked,
      'asked',
      [
        ['cached', q.cached],
        ['coalesced', q.coalesced],
        ['billed', q.billed],
        ['failed', q.failed],
        ['unresolved', q.unresolved],
      ],
      reasked,
    ),
    item(q.billed, 'billed', [
      ['settled', settled],
      ['unknown', q.unknown],
    ]),
    item(q.billed, 'billed', [
      ['for real images', seeds.billed],
      ['for mixed images', mixup.billed],
      ['for CVAE images', cvae.billed],
    ]),
  ].join(
    '',
  )}</ul><p class="note" style="margin-top:12px">Paid: ${escape(money(report.cost))}. “Unknown” left for the teacher and its answer was lost; it stays paid.</p>`;
}

function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function timings(report: Report): string {
  const { label, fit, synthesise, train, evaluate, total } = report.seconds;
  const memory = `${(report.peakRssBytes / 1024 ** 2).toFixed(0)} MiB`;
  return table(
    ['label', 'fit CVAE', 'synthesise', 'train', 'evaluate', 'total', 'peak memory'],
    [[label, fit, synthesise, train, evaluate, total].map(duration).concat(memory)],
  );
}

function pairs(title: string, rows: readonly (readonly [string, string])[]): string {
  const body = rows.map(([name, value]) => `<tr><td>${escape(name)}</td><td class="text">${escape(value)}</td></tr>`);
  return `<h3>${escape(title)}</h3><table><tbody>${body.join('')}</tbody></table>`;
}

function teacherPairs({ teacher }: ReportInput): [string, string][] {
  const rows: [string, string | undefined][] = [
    ['teacher', teacher.name],
    ['adapter', teacher.adapter],
    ['endpoint', teacher.endpoint],
    ['answers', teacher.answerKind],
  ];
  return rows.filter((row): row is [string, string] => row[1] !== undefined && row[1] !== '');
}

function versionPairs(report: Report): [string, string][] {
  return [['engine', report.student.engine], ...Object.entries(report.versions)];
}

function snippets(input: ReportInput): string {
  const shape = input.samples.real?.images.shape ?? { height: 28, width: 28, channels: 1 };
  const dims = `${shape.height}, ${shape.width}, ${shape.channels}`;
  const names = JSON.stringify(input.classNames.slice(0, input.classes));
  const shown = names.length > 400 || input.classNames.length === 0 ? undefined : names;
  const python = `import numpy as np, onnxruntime as ort

session = ort.InferenceSession("student/model.onnx")
images = np.zeros((1, ${dims}), np.uint8)          # your images, N x H x W x C
[probabilities] = session.run(["probabilities"], {"images": images.astype(np.float32) / 255})
${shown ? `names = ${shown}\nprint(names[probabilities[0].argmax()])` : 'print(probabilities[0].argmax())'}`;
  const js = `import * as tf from '@tensorflow/tfjs';

const model = await tf.loadLayersModel('student/model.json');   // a URL; file://… with tfjs-node
const images = tf.zeros([1, ${dims}]);                           // your images, 0..1, N x H x W x C
const probabilities = model.predict(images);
probabilities.argMax(-1).print();`;
  return `<h3>Python</h3><pre>${escape(python)}</pre><h3>JavaScript</h3><pre>${escape(js)}</pre>`;
}
