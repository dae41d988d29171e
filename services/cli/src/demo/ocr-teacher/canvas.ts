/** What the recogniser looks at: 48 pixels high, 32 wide; it takes a step every 8 pixels. */
export const CANVAS_HEIGHT = 48;
export const CANVAS_WIDTH = 32;
/** Height that the ink is drawn with; its width follows, as far as the canvas has room. */
const INK_HEIGHT = 40;
/** Where the ink begins; ink too wide for it begins further left. */
const LEFT_MARGIN = 2;
/** Pixels fainter than this part of the brightest are not ink: the blurred rim of a stroke would make it smaller. */
const INK_THRESHOLD = 0.85;
/** An image with nothing brighter shows no ink. */
const FAINTEST_INK = 0.1;
/** The recogniser's white: it takes (value - 0.5) / 0.5. */
const PAPER = 1;

interface Box {
  top: number;
  left: number;
  height: number;
  width: number;
}

/**
 * Draws light ink on black as dark ink on white paper, cropped to the ink and enlarged.
 * @param image [height, width], values 0..1
 * @param canvas [CANVAS_HEIGHT, CANVAS_WIDTH], gets values -1 (ink) to 1 (paper)
 */
export function drawOnCanvas(image: Float32Array, height: number, width: number, canvas: Float32Array): void {
  canvas.fill(PAPER);
  const ink = inkOf(image, height, width);
  if (!ink) return;
  const drawnWidth = Math.min(CANVAS_WIDTH, Math.max(1, Math.round((ink.width * INK_HEIGHT) / ink.height)));
  const top = (CANVAS_HEIGHT - INK_HEIGHT) / 2;
  const left = Math.min(LEFT_MARGIN, CANVAS_WIDTH - drawnWidth);
  for (let y = 0; y < INK_HEIGHT; y++) {
    const fromY = ((y + 0.5) * ink.height) / INK_HEIGHT - 0.5;
    for (let x = 0; x < drawnWidth; x++) {
      const fromX = ((x + 0.5) * ink.width) / drawnWidth - 0.5;
      const light = sample(image, width, ink, fromY, fromX);
      canvas[(top + y) * CANVAS_WIDTH + left + x] = PAPER - 2 * Math.min(1, Math.max(0, light));
    }
  }
}

/** The smallest box around the ink; undefined where there is none. */
function inkOf(image: Float32Array, height: number, width: number): Box | undefined {
  const brightest = image.reduce((most, value) => Math.max(most, value), 0);
  if (brightest < FAINTEST_INK) return undefined;
  let top = height;
  let bottom = -1;
  let left = width;
  let right = -1;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (image[y * width + x]! < INK_THRESHOLD * brightest) continue;
      top = Math.min(top, y);
      bottom = y;
      left = Math.min(left, x);
      right = Math.max(right, x);
    }
  }
  return { top, left, height: bottom - top + 1, width: right - left + 1 };
}

/** Bilinear inside the box; its edge goes on outside. */
function sample(image: Float32Array, stride: number, box: Box, y: number, x: number): number {
  const y0 = Math.floor(y);
  const x0 = Math.floor(x);
  const partY = y - y0;
  const partX = x - x0;
  const at = (row: number, column: number) => {
    const inRow = box.top + Math.min(box.height - 1, Math.max(0, row));
    const inColumn = box.left + Math.min(box.width - 1, Math.max(0, column));
    return image[inRow * stride + inColumn]!;
  };
  const upper = (1 - partX) * at(y0, x0) + partX * at(y0, x0 + 1);
  const lower = (1 - partX) * at(y0 + 1, x0) + partX * at(y0 + 1, x0 + 1);
  return (1 - partY) * upper + partY * lower;
}
