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

/** Estimated width of DejaVu Sans, a little generous, so that nothing overlaps in the page's narrower fonts either. */
export function textWidth(text: string, fontSize: number): number {
  let ems = 0;
  for (const sign of text) {
    if (/[iljI.,:;'|! ft()[\]-]/.test(sign)) ems += 0.4;
    else if (/[mwMW%@—]/.test(sign)) ems += 0.98;
    else if (/[A-Z]/.test(sign)) ems += 0.72;
    else if (sign.codePointAt(0)! >= 0x1100) ems += 1.05;
    else ems += 0.64;
  }
  return ems * fontSize;
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

/** A share as text for people, e.g. `84.8 %`; `–` where there is none. */
export function percent(value: number | null | undefined, decimals = 1): string {
  return value === null || value === undefined ? '–' : `${(value * 100).toFixed(decimals)} %`;
}

/** A whole number with thin gaps, e.g. `49 997`. */
export function grouped(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, '\u202f');
}
