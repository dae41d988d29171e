#include "direct.h"
#include "vmath.h"

// Register tiles, pixels × vectors of output channels. With 16 registers of which two vectors of weights and a pixel
// take three, AVX2 has room for twelve sums; V8 and SSE2, which multiply and add apart, for eight; AVX-512 has 32.
#if VW == 16
#define TALL 12
#define MIDDLE 8
#define FLAT 14
#elif VW == 8
#define TALL 6
#define MIDDLE 4
#define FLAT 8
#else
#define TALL 4
#define MIDDLE 2
#define FLAT 6
#endif

// Pixels that are taken together through all output channels, so that their windows stay in the first cache.
#define CHUNK 96
#define CHUNK_SPARE 16

// Vectors of the next block: pairs, with a triple where the rest is odd.
INLINE int block_vectors(int left) { return left == 1 ? 1 : left == 3 ? 3 : 2; }
INLINE int block_pixels(int vectors) { return vectors == 1 ? FLAT : vectors == 2 ? TALL : MIDDLE; }
INLINE int vectors_of(int channels) { return (channels + VW - 1) / VW; }

// A grid of windows in one plane and of pixels in another.
typedef struct {
  const float *source;
  int source_image, source_step_y, source_step_x, source_row;
  float *target;
  int target_image, target_step_y, target_step_x;
  int height, width;
  // Rows of a window, and floats of such a row.
  int rows, run;
  int outputs;
  // [block][rows][run][vectors of the block]
  const float *weights;
  // Padded with zeros.
  const float *bias;
  int is_relu, adds;
} Grid;

// Stores the first `left` channels of a sum.
INLINE void finish(const Grid *g, vf y, float *target, int left) {
  if (g->adds) y += load(target);
  if (g->is_relu) y = blend(y < splat(0), splat(0), y);
  if (left >= VW) {
    store(target, y);
  } else {
    float lanes[VW];
    store(lanes, y);
    for (int lane = 0; lane < left; lane++) target[lane] = lanes[lane];
  }
}

// Sums of a tile of PIXELS windows × VECTORS vectors, stored at the first `valid` targets.
#define TILE(NAME, PIXELS, VECTORS)                                                                                  \
  NOINLINE static void NAME(const Grid *g, const float *const *windows, float *const *targets, const float *w,              \
                   const float *bias, int channel, int valid) {                                                      \
    vf acc[PIXELS][VECTORS];                                                                                         \
    UNROLL for (int p = 0; p < PIXELS; p++) {                                                                        \
      UNROLL for (int v = 0; v < VECTORS; v++) acc[p][v] = load(bias + v * VW);                                      \
    }                                                                                                                \
    const float *x[PIXELS];                                                                                          \
    UNROLL for (int p = 0; p < PIXELS; p++) x[p] = windows[p];                                                       \
    int run = g->run, row = g->source_row;                                                                           \
    for (int ky = g->rows; ky > 0; ky--) {                                                                           \
      for (int t = 0; t < run; t++) {                                                                                \
        vf wv[VECTORS];                                                                                              \
        UNROLL for (int v = 0; v < VECTORS; v++) wv[v] = load(w + v * VW);                                           \
        w += VECTORS * VW;                                                                                           \
        UNROLL for (int p = 0; p < PIXELS; p++) {                                                                    \
          vf xv = splat(x[p][t]);                                                                                    \
          UNROLL for (int v = 0; v < VECTORS; v++) acc[p][v] += xv * wv[v];                                          \
        }                                                                                                            \
      }                                                                                                              \
      UNROLL for (int p = 0; p < PIXELS; p++) x[p] += row;                                                           \
    }                                                                                                                \
    int left = g->outputs - channel;                                                                                 \
    UNROLL for (int p = 0; p < PIXELS; p++) {                                                                        \
      if (p < valid) {                                                                                               \
        UNROLL for (int v = 0; v < VECTORS; v++)                                                                     \
          finish(g, acc[p][v], targets[p] + channel + v * VW, left - v * VW);                                        \
      }                                                                                                              \
    }                                                                                                                \
  }

TILE(tall_tile, TALL, 2)
TILE(middle_tile, MIDDLE, 3)
TILE(flat_tile, FLAT, 1)

static void run_grid(const Grid *g, int count) {
  const float *windows[CHUNK + CHUNK_SPARE];
  float *targets[CHUNK + CHUNK_SPARE];
  int vectors = vectors_of(g->outputs), depth = g->rows * g->run;
  int n = 0, y = 0, x = 0;
  usize left = (usize)count * g->height * g->width;
  while (left > 0) {
    int pixels = left < CHUNK ? (int)left : CHUNK;
    left -= pixels;
    for (int p = 0; p < pixels; p++) {
      windows[p] = g->source + (usize)n * g->source_image + y * g->source_step_y + x * g->source_step_x;
      targets[p] = g->target + (usize)n * g->target_image + y * g->target_step_y + x * g->target_step_x;
      if (++x == g->width) {
        x = 0;
        if (++y == g->height) {
          y = 0;
          n++;
        }
      }
    }
    for (int p = pixels; p < pixels + CHUNK_SPARE; p++) windows[p] = windows[pixels - 1], targets[p] = targets[pixels - 1];
    const float *w = g->weights;
    for (int v = 0; v < vectors;) {
      int block = block_vectors(vectors - v), step = block_pixels(block);
      const float *bias = g->bias + v * VW;
      for (int p = 0; p < pixels; p += step) {
        if (block == 2) tall_tile(g, windows + p, targets + p, w, bias, v * VW, pixels - p);
        else if (block == 3) middle_tile(g, windows + p, targets + p, w, bias, v * VW, pixels - p);
        else flat_tile(g, windows + p, targets + p, w, bias, v * VW, pixels - p);
      }
      w += depth * block * VW;
      v += block;
    }
  }
}

// Bias, padded to vectors, in front of the weights.
static float *pack_bias(float *packed, const float *bias, int outputs) {
  int padded = vectors_of(outputs) * VW;
  for (int o = 0; o < padded; o++) packed[o] = bias && o < outputs ? bias[o] : 0;
  return packed + padded;
}

int direct_windows_floats(const Windows *w, int channels, int outputs) {
  return (w->kernel_height * w->kernel_width * channels + 1) * vectors_of(outputs) * VW;
}

int direct_spread_floats(const Windows *w, int channels, int outputs) {
  return direct_windows_floats(w, channels, outputs);
}

INLINE int max_of(int a, int b) { return a > b ? a : b; }

void direct_windows_frame(Frame *frame, const Windows *w, int height, int width, int out_height, int out_width) {
  frame->top = max_of(frame->top, w->pad_top);
  frame->left = max_of(frame->left, w->pad_left);
  frame->bottom = max_of(frame->bottom, (out_height - 1) * w->stride_y + w->kernel_height - w->pad_top - height);
  frame->right = max_of(frame->right, (out_width - 1) * w->stride_x + w->kernel_width - w->pad_left - width);
}

void direct_windows(const Windows *w, Side large, Side small, const float *weights, const float *bias,
                    Activation activation, int adds, float *packed, int count) {
  int run = w->kernel_width * large.channels, outputs = small.channels, depth = w->kernel_height * run;
  float *at = pack_bias(packed, bias, outputs), *first = at;
  int vectors = vectors_of(outputs);
  for (int v = 0; v < vectors;) {
    int block = block_vectors(vectors - v), width = block * VW, from = v * VW;
    int whole = outputs - from >= width;
    for (int t = 0; t < depth; t++, at += width)
      if (whole) {
        for (int j = 0; j < width; j += VW) store(at + j, load(weights + (usize)t * outputs + from + j));
      } else {
        for (int j = 0; j < width; j++) at[j] = from + j < outputs ? weights[(usize)t * outputs + from + j] : 0;
      }
    v += block;
  }
  const Plane *s = large.plane, *d = small.plane;
  Grid grid = {.source = plane_origin(s, large.channels) - w->pad_top * s->row - w->pad_left * large.channels,
               .source_image = s->image,
               .source_step_y = w->stride_y * s->row,
               .source_step_x = w->stride_x * large.channels,
               .source_row = s->row,
               .target = plane_origin(d, outputs),
               .target_image = d->image,
               .target_step_y = d->row,
               .target_step_x = outputs,
               .height = small.height,
               .width = small.width,
               .rows = w->kernel_height,
               .run = run,
               .outputs = outputs,
               .weights = first,
               .bias = packed,
               .is_relu = activation == ACTIVATION_RELU,
               .adds = adds};
  run_grid(&grid, count);
}

// The pixels of the large side whose position, padding included, leaves `phase` when divided by the stride: they meet
// only every stride-th tap of a kernel, and step through the small side pixel by pixel.
typedef struct {
  int first, count;
  // Taps, and where in the small side the window of the first pixel begins.
  int taps, begin;
} Phase;

static Phase phase_of(int phase, int pad, int stride, int kernel, int size) {
  int first = (phase - pad % stride + stride) % stride;
  int taps = phase < kernel ? (kernel - phase + stride - 1) / stride : 0;
  return (Phase){.first = first,
                 .count = first < size ? (size - first + stride - 1) / stride : 0,
                 .taps = taps,
                 .begin = (first + pad - phase) / stride - (taps - 1)};
}

static void widen(int *before, int *after, int stride, int pad, int kernel, int size, int small) {
  for (int phase = 0; phase < stride; phase++) {
    Phase p = phase_of(phase, pad, stride, kernel, size);
    if (p.count == 0 || p.taps == 0) continue;
    *before = max_of(*before, -p.begin);
    *after = max_of(*after, p.begin + p.count - 1 + p.taps - small);
  }
}

void direct_spread_frame(Frame *frame, const Windows *w, int height, int width, int in_height, int in_width) {
  widen(&frame->top, &frame->bottom, w->stride_y, w->pad_top, w->kernel_height, height, in_height);
  widen(&frame->left, &frame->right, w->stride_x, w->pad_left, w->kernel_width, width, in_width);
}

// Pixels that no window reaches.
static void fill_unreached(Side large, Phase py, Phase px, const Windows *w, const float *bias, int is_relu, int adds,
                           int count) {
  if (adds) return;
  int channels = large.channels;
  for (int n = 0; n < count; n++)
    for (int y = 0; y < py.count; y++) {
      float *row = plane_row(large.plane, channels, n, py.first + y * w->stride_y);
      for (int x = 0; x < px.count; x++)
        for (int c = 0; c < channels; c++) {
          float value = bias[c];
          row[(px.first + x * w->stride_x) * channels + c] = is_relu && value < 0 ? 0 : value;
        }
    }
}

void direct_spread(const Windows *w, Side small, Side large, const float *weights, const float *bias,
                   Activation activation, int adds, float *packed, int count) {
  int inputs = small.channels, outputs = large.channels, vectors = vectors_of(outputs);
  float *at = pack_bias(packed, bias, outputs);
  const Plane *s = small.plane, *d = large.plane;
  for (int phase_y = 0; phase_y < w->stride_y; phase_y++)
    for (int phase_x = 0; phase_x < w->stride_x; phase_x++) {
      Phase py = phase_of(phase_y, w->pad_top, w->stride_y, w->kernel_height, large.height);
      Phase px = phase_of(phase_x, w->pad_left, w->stride_x, w->kernel_width, large.width);
      if (py.count == 0 || px.count == 0) continue;
      if (py.taps == 0 || px.taps == 0) {
        fill_unreached(large, py, px, w, packed, activation == ACTIVATION_RELU, adds, count);
        continue;
      }
      float *first = at;
      // [block][tap y, last first][tap x, last first][small channel][large channels of the block]
      for (int v = 0; v < vectors;) {
        int block = block_vectors(vectors - v), width = block * VW, from = v * VW;
        int real = min_int(width, outputs - from);
        for (int jy = py.taps - 1; jy >= 0; jy--)
          for (int jx = px.taps - 1; jx >= 0; jx--) {
            int tap = (phase_y + jy * w->stride_y) * w->kernel_width + phase_x + jx * w->stride_x;
            const float *source = weights + ((usize)tap * outputs + from) * inputs;
            for (int i = 0; i < inputs; i++, at += width) {
              for (int j = 0; j < real; j++) at[j] = source[(usize)j * inputs + i];
              for (int j = real; j < width; j++) at[j] = 0;
            }
          }
        v += block;
      }
      Grid grid = {.source = plane_origin(s, inputs) + py.begin * s->row + px.begin * inputs,
                   .source_image = s->image,
                   .source_step_y = s->row,
                   .source_step_x = inputs,
                   .source_row = s->row,
                   .target = plane_origin(d, outputs) + py.first * d->row + px.first * outputs,
                   .target_image = d->image,
                   .target_step_y = w->stride_y * d->row,
                   .target_step_x = w->stride_x * outputs,
                   .height = py.count,
                   .width = px.count,
                   .rows = py.taps,
                   .run = px.taps * inputs,
                   .outputs = outputs,
                   .weights = first,
                   .bias = packed,
                   .is_relu = activation == ACTIVATION_RELU,
                   .adds = adds};
      run_grid(&grid, count);
    }
}

// Floats of both planes that one pass over the tiles of a gradient may touch: they should stay in the second cache.
#define CORRELATE_FLOATS 8192
#define CORRELATE_ROWS 64

typedef struct {
  const float *windows[CORRELATE_ROWS], *pixels[CORRELATE_ROWS];
  int rows, width, window_step, pixel_step;
} Strip;

// tile[TAPS][VECTORS vectors] += Σ over the strip of TAPS floats of a window × VECTORS vectors of a pixel
#define CORRELATE_TILE(NAME, TAPS, VECTORS)                                                                          \
  NOINLINE static void NAME(const Strip *s, int window_offset, int pixel_offset, float *tile) {                               \
    vf acc[TAPS][VECTORS];                                                                                           \
    UNROLL for (int t = 0; t < TAPS; t++) {                                                                          \
      UNROLL for (int v = 0; v < VECTORS; v++) acc[t][v] = load(tile + (t * VECTORS + v) * VW);                      \
    }                                                                                                                \
    int window_step = s->window_step, pixel_step = s->pixel_step;                                                    \
    for (int r = 0; r < s->rows; r++) {                                                                              \
      const float *x = s->windows[r] + window_offset, *d = s->pixels[r] + pixel_offset;                              \
      for (int i = s->width; i > 0; i--) {                                                                           \
        vf dv[VECTORS];                                                                                              \
        UNROLL for (int v = 0; v < VECTORS; v++) dv[v] = load(d + v * VW);                                           \
        UNROLL for (int t = 0; t < TAPS; t++) {                                                                      \
          vf xv = splat(x[t]);                                                                                       \
          UNROLL for (int v = 0; v < VECTORS; v++) acc[t][v] += xv * dv[v];                                          \
        }                                                                                                            \
        x += window_step;                                                                                            \
        d += pixel_step;                                                                                             \
      }                                                                                                              \
    }                                                                                                                \
    UNROLL for (int t = 0; t < TAPS; t++) {                                                                          \
      UNROLL for (int v = 0; v < VECTORS; v++) store(tile + (t * VECTORS + v) * VW, acc[t][v]);                      \
    }                                                                                                                \
  }

CORRELATE_TILE(tall_correlation, TALL, 2)
CORRELATE_TILE(middle_correlation, MIDDLE, 3)
CORRELATE_TILE(flat_correlation, FLAT, 1)

int direct_correlate_floats(const Windows *w, int channels, int outputs) {
  int run = w->kernel_width * channels;
  return w->kernel_height * (run + 2 * FLAT) * (vectors_of(outputs) + 1) * VW;
}

void direct_correlate(const Windows *w, Side large, Side small, float *gradient, float *tiles, int count) {
  int run = w->kernel_width * large.channels, outputs = small.channels, vectors = vectors_of(outputs);
  const Plane *l = large.plane, *d = small.plane;
  int used = 0;
  for (int v = 0; v < vectors;) {
    int block = block_vectors(vectors - v), taps = block_pixels(block);
    used += w->kernel_height * round_up(run, taps) * block * VW;
    v += block;
  }
  for (int i = 0; i < used; i += VW) store(tiles + i, splat(0));
  const float *first = plane_origin(l, large.channels) - w->pad_top * l->row - w->pad_left * large.channels;
  int row_floats = small.width * (w->stride_x * large.channels * min_int(w->stride_y, w->kernel_height) + outputs);
  int rows = CORRELATE_FLOATS / row_floats;
  if (rows < 1) rows = 1;
  if (rows > CORRELATE_ROWS) rows = CORRELATE_ROWS;
  Strip strip = {.width = small.width, .window_step = w->stride_x * large.channels, .pixel_step = outputs};
  int total = count * small.height;
  for (int r = 0; r < total; r += rows) {
    strip.rows = min_int(rows, total - r);
    for (int i = 0; i < strip.rows; i++) {
      int n = (r + i) / small.height, y = (r + i) % small.height;
      strip.windows[i] = first + (usize)n * l->image + y * w->stride_y * l->row;
      strip.pixels[i] = plane_row(d, outputs, n, y);
    }
    float *tile = tiles;
    for (int v = 0; v < vectors;) {
      int block = block_vectors(vectors - v), taps = block_pixels(block), offset = v * VW;
      for (int ky = 0; ky < w->kernel_height; ky++)
        for (int t = 0; t < run; t += taps, tile += taps * block * VW) {
          if (block == 2) tall_correlation(&strip, ky * l->row + t, offset, tile);
          else if (block == 3) middle_correlation(&strip, ky * l->row + t, offset, tile);
          else flat_correlation(&strip, ky * l->row + t, offset, tile);
        }
      v += block;
    }
  }
  const float *tile = tiles;
  for (int v = 0; v < vectors;) {
    int block = block_vectors(vectors - v), taps = block_pixels(block), width = block * VW, offset = v * VW;
    int real = min_int(width, outputs - offset);
    for (int ky = 0; ky < w->kernel_height; ky++) {
      for (int t = 0; t < run; t++)
        for (int j = 0; j < real; j++) gradient[((usize)ky * run + t) * outputs + offset + j] = tile[t * width + j];
      tile += round_up(run, taps) * width;
    }
    v += block;
  }
}

void direct_sum_pixels(Side side, float *sums, float *scratch, int count) {
  int channels = side.channels;
  for (int c = 0; c < channels; c++) sums[c] = 0;
  for (int n = 0; n < count; n++) {
    for (int c = 0; c < channels; c += VW) {
      vf sum = splat(0);
      for (int y = 0; y < side.height; y++) {
        const float *row = plane_row(side.plane, channels, n, y) + c;
        for (int x = 0; x < side.width; x++) sum += load(row + x * channels);
      }
      store(scratch + c, sum);
    }
    for (int c = 0; c < channels; c++) sums[c] += scratch[c];
  }
}
