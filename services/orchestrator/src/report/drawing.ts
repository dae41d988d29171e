import { grouped as inGroups } from '@bbdistill/common/base';

/** Colours of a figure: fixed ones for PNG, CSS variables in the page, so that it follows light and dark. */
export interface Palette {
  paper: string;
  ink: string;
  muted: string;
  line: string;
  first: string;
  second: string;
  onFirst: string;
}

export const PRINT_PALETTE: Palette = {
  paper: '#ffffff',
  ink: '#1b2330',
  muted: '#5c6675',
  line: '#dde2e9',
  first: '#2563b8',
  second: '#c2570c',
  onFirst: '#ffffff',
};

export const PAGE_PALETTE: Palette = {
  paper: 'var(--paper)',
  ink: 'var(--ink)',
  muted: 'var(--muted)',
  line: 'var(--line)',
  first: 'var(--first)',
  second: 'var(--second)',
  onFirst: 'var(--on-first)',
};

export interface Figure {
  width: number;
  height: number;
  /** A whole `<svg>` element. */
  svg: string;
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text made safe for HTML and SVG, as content and as attribute; characters that XML forbids become `?`. */
export function escape(text: string): string {
  return (
    text
      // eslint-disable-next-line no-control-regex
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ufffe\uffff]|\p{Surrogate}/gu, '?')
      .replace(/[&<>"']/g, (sign) => ENTITIES[sign]!)
  );
}

/** Advance widths of DejaVu Sans for U+0020 to U+007E, hundredths of the font size. */
const ASCII_ADVANCES = [
  32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 34, 34, 84,
  84, 84, 53, 100, 71, 69, 70, 77, 63, 58, 77, 75, 30, 30, 66, 56, 86, 75, 79, 60, 79, 69, 63, 60, 73, 68, 99, 69, 61,
  69, 39, 34, 39, 84, 50, 50, 61, 63, 55, 63, 62, 35, 63, 63, 28, 28, 58, 28, 97, 63, 61, 63, 63, 40, 52, 39, 63, 59,
  82, 59, 59, 52, 64, 34, 64, 84,
];
const OTHER_ADVANCE = 75;
const WIDE_ADVANCE = 105;
const FIRST_WIDE = 0x1100;

const REMARK = { width: 1018, height: 70, left: 20, baseline: 42, font: 13 } as const;

/** Width in DejaVu Sans, which is wider than the fonts that a browser may take instead. */
export function textWidth(text: string, fontSize: number): number {
  let hundredths = 0;
  for (const sign of text) {
    const code = sign.codePointAt(0)!;
    hundredths += ASCII_ADVANCES[code - 0x20] ?? (code < FIRST_WIDE ? OTHER_ADVANCE : WIDE_ADVANCE);
  }
  return (hundredths / 100) * fontSize;
}

/** The text, cut with an ellipsis where it is wider than `width`. */
export function fitText(text: string, fontSize: number, width: number): string {
  if (textWidth(text, fontSize) <= width) return text;
  let kept = '';
  for (const sign of text) {
    if (textWidth(`${kept}${sign}…`, fontSize) > width) break;
    kept += sign;
  }
  return `${kept.trimEnd()}…`;
}

export interface TextStyle {
  size: number;
  fill: string;
  anchor?: 'start' | 'middle' | 'end';
  bold?: boolean;
  /** Degrees, clockwise about the point. */
  rotate?: number;
}

/** Coordinates with at most two decimals keep the files small and the same everywhere. */
export function at(value: number): string {
  return String(Math.round(value * 100) / 100);
}

export function text(x: number, y: number, content: string, style: TextStyle): string {
  const anchor = style.anchor && style.anchor !== 'start' ? ` text-anchor="${style.anchor}"` : '';
  const bold = style.bold ? ' font-weight="bold"' : '';
  const rotate = style.rotate ? ` transform="rotate(${style.rotate} ${at(x)} ${at(y)})"` : '';
  return `<text x="${at(x)}" y="${at(y)}" font-size="${style.size}" fill="${style.fill}"${anchor}${bold}${rotate}>${escape(content)}</text>`;
}

export function rect(x: number, y: number, width: number, height: number, fill: string, more = ''): string {
  return `<rect x="${at(x)}" y="${at(y)}" width="${at(width)}" height="${at(height)}" fill="${fill}"${more}/>`;
}

export function line(x1: number, y1: number, x2: number, y2: number, stroke: string, more = ''): string {
  return `<line x1="${at(x1)}" y1="${at(y1)}" x2="${at(x2)}" y2="${at(y2)}" stroke="${stroke}"${more}/>`;
}

/** @param label what a screen reader says */
export function svg(width: number, height: number, label: string, palette: Palette, body: readonly string[]): Figure {
  const size = `${at(width)} ${at(height)}`;
  return {
    width,
    height,
    svg:
      `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size}" width="${at(width)}" height="${at(height)}" ` +
      `role="img" aria-label="${escape(label)}" font-family="'DejaVu Sans', system-ui, sans-serif">` +
      rect(0, 0, width, height, palette.paper) +
      body.join('') +
      '</svg>',
  };
}

/** A sentence in the place of a figure that there is none of. */
export function remark(said: string, label: string, palette: Palette): Figure {
  return svg(REMARK.width, REMARK.height, label, palette, [
    text(REMARK.left, REMARK.baseline, fitText(said, REMARK.font, REMARK.width - 2 * REMARK.left), {
      size: REMARK.font,
      fill: palette.muted,
    }),
  ]);
}

/** A share as text for people, e.g. `84.73 %` as the paper prints it; `–` where there is none. */
export function percent(value: number | null | undefined, decimals = 2): string {
  return value === null || value === undefined ? '–' : `${(value * 100).toFixed(decimals)} %`;
}

/** A whole number with thin gaps, e.g. `49 997`. */
export function grouped(value: number): string {
  return inGroups(value, '\u202f');
}
