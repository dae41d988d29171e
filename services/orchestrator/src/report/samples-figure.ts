import type { AnswerBatch } from '@bbdistill/common/base';
import { fitText, rect, svg, text, textWidth } from './drawing.js';
import type { Figure, Palette } from './drawing.js';
import { MAX_SAMPLES_PER_KIND, classNameOf } from './input.js';
import type { AnsweredImages } from './input.js';
import { pngDataUri } from './png.js';

/** Of the page, which stretches a figure to its own width. */
const COLUMNS = 10;
const SUBTITLE = 'with the teacher’s answer';
const CELL = 98;
const BETWEEN = 2;
const GAP = 14;
const PICTURE = 84;
/** A little wider than the picture, so that most class names fit beside their share. */
const CAPTION = 92;
const MARGIN = 20;
const TITLE_HEIGHT = 34;
const CAPTION_HEIGHT = 40;
const FONT = 10.5;
const TITLE_SIZE = 15;
const SUBTITLE_SIZE = 12;
/** A second class is shown when the teacher gives it at least this. */
const SECOND_FROM = 0.05;

interface Sample {
  uri: string;
  captions: { name: string; share: string }[];
}

interface SampleGroup {
  title: string;
  samples: Sample[];
  height: number;
  width: number;
}

/** Images as the page and the PNG draw them, encoded once; each kind with its title. */
export async function prepareSamples(
  kinds: readonly (readonly [title: string, AnsweredImages | undefined])[],
  classNames: readonly string[],
): Promise<SampleGroup[]> {
  const groups: SampleGroup[] = [];
  for (const [title, kind] of kinds) {
    if (!kind || kind.images.count === 0) continue;
    const shown = Math.min(kind.images.count, MAX_SAMPLES_PER_KIND);
    const samples = Array.from({ length: shown }, async (_, index) => ({
      uri: await pngDataUri(kind.images, index),
      captions: captionsOf(kind.answers, index, classNames),
    }));
    const { height, width } = kind.images.shape;
    groups.push({ title, samples: await Promise.all(samples), height, width });
  }
  return groups;
}

function captionsOf(answers: AnswerBatch, index: number, classNames: readonly string[]): Sample['captions'] {
  if (answers.provenance?.abstained[index] === 1) return [{ name: 'abstained', share: '' }];
  if (answers.answered[index] !== 1) return [{ name: 'no answer', share: '' }];
  const row = answers.targets.subarray(index * answers.classes, (index + 1) * answers.classes);
  const order = Array.from(row, (share, label) => ({ share, label })).sort((a, b) => b.share - a.share);
  return order
    .slice(0, 2)
    .filter(({ share }, rank) => rank === 0 || share >= SECOND_FROM)
    .map(({ share, label }) => ({ name: classNameOf(classNames, label), share: `${Math.round(share * 100)}%` }));
}

/** Bold text is wider than it is measured. */
function subtitleAt({ title }: SampleGroup): number {
  return textWidth(title, TITLE_SIZE) * 1.1 + 14;
}

function headWidth(group: SampleGroup): number {
  return subtitleAt(group) + textWidth(SUBTITLE, SUBTITLE_SIZE);
}

/** As many as the images need: a picture of four by themselves needs no paper for ten. */
export function fittingColumns(groups: readonly SampleGroup[]): number {
  return Math.min(COLUMNS, Math.max(1, ...groups.map(({ samples }) => samples.length)));
}

/** A grid of the samples of each kind with the classes that the teacher gave, the likelier first. */
export function samplesFigure(groups: readonly SampleGroup[], palette: Palette, columns = COLUMNS): Figure {
  const body: string[] = [];
  const grid = columns * (CELL + BETWEEN) - BETWEEN;
  const width = 2 * MARGIN + Math.max(grid, ...groups.map(headWidth));
  let y = MARGIN - 4;
  for (const group of groups) {
    body.push(text(MARGIN, y + 18, group.title, { size: TITLE_SIZE, fill: palette.ink, bold: true }));
    body.push(text(MARGIN + subtitleAt(group), y + 18, SUBTITLE, { size: SUBTITLE_SIZE, fill: palette.muted }));
    y += TITLE_HEIGHT;
    const scale = PICTURE / Math.max(group.height, group.width);
    const drawn = { width: group.width * scale, height: group.height * scale };
    group.samples.forEach((sample, i) => {
      const x = MARGIN + (i % columns) * (CELL + BETWEEN);
      const top = y + Math.floor(i / columns) * (PICTURE + CAPTION_HEIGHT + GAP / 2);
      const left = x + (CELL - drawn.width) / 2;
      const above = top + (PICTURE - drawn.height) / 2;
      body.push(rect(left - 1, above - 1, drawn.width + 2, drawn.height + 2, palette.line));
      // Enlarged pixels stay squares: a blurred sample would hide what the teacher really saw.
      const rendering = scale > 1 ? ' image-rendering="optimizeSpeed" class="pixels"' : '';
      body.push(
        `<image x="${left}" y="${above}" width="${drawn.width}" height="${drawn.height}"${rendering} href="${sample.uri}"/>`,
      );
      sample.captions.forEach(({ name, share }, rank) => {
        const room = CAPTION - (share ? textWidth(share, FONT) + 5 : 0);
        const style = { size: FONT, fill: rank === 0 ? palette.ink : palette.muted };
        const baseline = top + PICTURE + 14 + rank * 14;
        const edge = x + (CELL - CAPTION) / 2;
        body.push(text(edge, baseline, fitText(name, FONT, room), style));
        if (share) body.push(text(edge + CAPTION, baseline, share, { ...style, anchor: 'end' }));
      });
    });
    y += Math.ceil(group.samples.length / columns) * (PICTURE + CAPTION_HEIGHT + GAP / 2) + GAP;
  }
  if (groups.length === 0) {
    body.push(text(MARGIN, y + 24, 'No samples were kept.', { size: 13, fill: palette.muted }));
    y += 50;
  }
  return svg(width, y, 'Sample images with the answers of the teacher', palette, body);
}
