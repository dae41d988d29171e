#include "graph.h"

// Convolution with stride 1 fused with ReLU and a 2×2 pool, NHWC, direct. A kernel row over `kernel` pixels is one
// contiguous run of kernel·channels floats of the input ("run" below): the innermost loops go along it.
//
// Forward, vectors lie over the filters: `packed` holds the weights as [ky][run][filters padded to vectors].
// Backward, only the position of each window's maximum gets a gradient, a quarter of the work, and vectors lie over the
// run: weights and their gradients transposed to [filter][ky][run padded to vectors]. The gradient of the input is
// stored by the windows' offsets, so its plane is laid out as the values' is.

INLINE int kernel_of(const Layer *layer) { return layer->windows.kernel_height; }
INLINE int run_of(const Layer *layer) { return kernel_of(layer) * layer->in->channels; }
INLINE int padded_run_of(const Layer *layer) { return round_up(run_of(layer), VW); }
INLINE int padded_filters_of(const Layer *layer) { return round_up(layer->out->channels, VW); }

void conv_pool_finish(Layer *layer, int batch) {
  const Tensor *out = layer->out;
  int filters = out->channels, kernel = kernel_of(layer);
  int padded = padded_filters_of(layer);
  layer->packed = alloc_floats((kernel * run_of(layer) + 1) * padded);
  layer->rows = alloc_floats(4 * out->width * padded);
  int transposed = filters * kernel * padded_run_of(layer);
  int positions = out->height * out->width;
  layer->transposed = alloc_floats(transposed);
  layer->transposed_gradient = alloc_floats(transposed);
  layer->list_values = alloc_floats(positions);
  layer->list_offsets = alloc_ints(positions);
  layer->position_of_maximum = alloc_ints((usize)batch * positions * filters);
  layer->visit_map = alloc_ints(positions);
  layer->visit_gradient = alloc_ints(positions);
  // Column by column, every second row first: the windows of neighbours in this order share no row, so that adding to
  // the input's gradient never waits for a store that is still under way.
  int at = 0;
  const Plane *gradient = &out->gradient;
  for (int x = 0; x < out->width; x++)
    for (int odd = 0; odd < 2; odd++)
      for (int y = odd; y < out->height; y += 2) {
        layer->visit_map[at] = (y * out->width + x) * filters;
        layer->visit_gradient[at++] = (y + gradient->frame.top) * gradient->row + (x + gradient->frame.left) * filters;
      }
}

// Weights and, behind them, the bias with zeros for the missing filters, so that the padded lanes stay zero.
static void pack_weights(Layer *layer) {
  int filters = layer->out->channels, padded = padded_filters_of(layer), taps = kernel_of(layer) * run_of(layer);
  for (int t = 0; t < taps; t++)
    for (int f = 0; f < filters; f++) layer->packed[t * padded + f] = layer->weights[t * filters + f];
  for (int f = 0; f < layer->bias_count; f++) layer->packed[taps * padded + f] = layer->bias[f];
}

typedef struct {
  const float *x;
  int channels, row, kernel, run;
  const float *weights, *bias;
  int padded_filters;
} ConvRow;

// out[PIXELS][padded_filters] of VECTORS vectors each. PIXELS × VECTORS accumulators live in registers.
#define CONV_TILE(NAME, PIXELS, VECTORS)                                                                             \
  INLINE void NAME(const ConvRow *c, const float *x, const float *w, const float *bias, float *out) {               \
    vf acc[PIXELS][VECTORS];                                                                                         \
    UNROLL for (int p = 0; p < PIXELS; p++) {                                                                        \
      UNROLL for (int v = 0; v < VECTORS; v++) acc[p][v] = load(bias + v * VW);                                      \
    }                                                                                                                \
    int channels = c->channels, filters = c->padded_filters, run = c->run;                                           \
    for (int ky = 0; ky < c->kernel; ky++) {                                                                         \
      const float *r = x + ky * c->row;                                                                              \
      for (int t = 0; t < run; t++) {                                                                                \
        vf wv[VECTORS];                                                                                              \
        UNROLL for (int v = 0; v < VECTORS; v++) wv[v] = load(w + v * VW);                                           \
        w += filters;                                                                                                \
        UNROLL for (int p = 0; p < PIXELS; p++) {                                                                    \
          vf xv = splat(r[p * channels + t]);                                                                        \
          UNROLL for (int v = 0; v < VECTORS; v++) acc[p][v] += xv * wv[v];                                          \
        }                                                                                                            \
      }                                                                                                              \
    }                                                                                                                \
    UNROLL for (int p = 0; p < PIXELS; p++) {                                                                        \
      UNROLL for (int v = 0; v < VECTORS; v++) store(out + p * filters + v * VW, acc[p][v]);                         \
    }                                                                                                                \
  }

// A row of any length: whole tiles, then one that overlaps the last (the same sums once more), or single pixels.
#define CONV_SPAN(NAME, PIXELS, VECTORS)                                                                             \
  CONV_TILE(NAME##_tile, PIXELS, VECTORS)                                                                            \
  CONV_TILE(NAME##_pixel, 1, VECTORS)                                                                                \
  static void NAME(const ConvRow *c, int filter, int pixels, float *out) {                                           \
    const float *w = c->weights + filter, *bias = c->bias + filter;                                                  \
    int p = 0;                                                                                                       \
    for (; p + PIXELS <= pixels; p += PIXELS)                                                                        \
      NAME##_tile(c, c->x + p * c->channels, w, bias, out + p * c->padded_filters + filter);                         \
    if (p < pixels && pixels >= PIXELS) {                                                                            \
      p = pixels - PIXELS;                                                                                           \
      NAME##_tile(c, c->x + p * c->channels, w, bias, out + p * c->padded_filters + filter);                         \
    } else {                                                                                                         \
      for (; p < pixels; p++)                                                                                        \
        NAME##_pixel(c, c->x + p * c->channels, w, bias, out + p * c->padded_filters + filter);                      \
    }                                                                                                                \
  }

// Eight accumulators: V8 spills twelve, which costs more than the loads that they would save.
CONV_SPAN(span_of_four, 2, 4)
CONV_SPAN(span_of_two, 4, 2)
CONV_SPAN(span_of_one, 6, 1)

// out[pixels][padded_filters]
static void conv_row(const ConvRow *c, int pixels, float *out) {
  int filter = 0;
  for (; filter + 4 * VW <= c->padded_filters; filter += 4 * VW) span_of_four(c, filter, pixels, out);
  for (; filter + 2 * VW <= c->padded_filters; filter += 2 * VW) span_of_two(c, filter, pixels, out);
  for (; filter < c->padded_filters; filter += VW) span_of_one(c, filter, pixels, out);
}

static ConvRow conv_row_of(const Layer *layer) {
  int padded = padded_filters_of(layer);
  return (ConvRow){.channels = layer->in->channels,
                   .row = layer->in->value.row,
                   .kernel = kernel_of(layer),
                   .run = run_of(layer),
                   .weights = layer->packed,
                   .bias = layer->packed + kernel_of(layer) * run_of(layer) * padded,
                   .padded_filters = padded};
}

// One row of pooled pixels from two rows of filters' sums. The map gets the start of the maximum's window, -1 where
// ReLU lets nothing through.
static void pool_row(const float *upper, const float *lower, int pixels, int padded, int filters, int channels, int row,
                     int window, float *out, int *map) {
  for (int p = 0; p < pixels; p++, window += 2 * channels)
    for (int f = 0; f < filters; f += VW) {
      const float *a = upper + 2 * p * padded + f, *b = lower + 2 * p * padded + f;
      vf best = load(a), next = load(a + padded);
      vi at = splat_int(window), better = next > best;
      at = blend_int(better, splat_int(window + channels), at);
      best = blend(better, next, best);
      next = load(b);
      better = next > best;
      at = blend_int(better, splat_int(window + row), at);
      best = blend(better, next, best);
      next = load(b + padded);
      better = next > best;
      at = blend_int(better, splat_int(window + row + channels), at);
      best = blend(better, next, best);
      at = blend_int(best > splat(0), at, splat_int(-1));
      best = blend(best < splat(0), splat(0), best);
      if (f + VW <= filters || p + 1 < pixels) {
        // Lanes past the last filter fall on later pixels, which come after, or, as zeros, on the frame's zeros.
        store(out + p * filters + f, best);
        *(vi *)(map + p * filters + f) = at;
      } else {
        for (int lane = 0; f + lane < filters; lane++) {
          out[p * filters + f + lane] = best[lane];
          map[p * filters + f + lane] = at[lane];
        }
      }
    }
}

// Floats from an image's begin, frame included, to the window of output pixel (0,0).
static int first_window(const Layer *layer) {
  const Plane *p = &layer->in->value;
  return (p->frame.top - layer->windows.pad_top) * p->row +
         (p->frame.left - layer->windows.pad_left) * layer->in->channels;
}

void conv_pool_forward(Layer *layer, int count) {
  const Tensor *in = layer->in, *out = layer->out;
  int filters = out->channels, padded = padded_filters_of(layer), pixels = 2 * out->width;
  pack_weights(layer);
  ConvRow row = conv_row_of(layer);
  float *upper = layer->rows, *lower = layer->rows + pixels * padded;
  for (int n = 0; n < count; n++)
    for (int y = 0; y < out->height; y++) {
      int window = first_window(layer) + 2 * y * in->value.row;
      row.x = in->value.data + (usize)n * in->value.image + window;
      conv_row(&row, pixels, upper);
      row.x += in->value.row;
      conv_row(&row, pixels, lower);
      pool_row(upper, lower, out->width, padded, filters, in->channels, in->value.row, window,
               plane_row(&out->value, filters, n, y),
               layer->position_of_maximum + ((usize)n * out->height + y) * out->width * filters);
    }
}

// gradient[ROWS][VECTORS] += Σ value · window, over the listed windows; and
// input gradient's windows += value · weights. The factors that stay are kept in registers.
#define LIST_KERNELS(ROWS, VECTORS)                                                                                  \
  static void filter_gradient_##ROWS##x##VECTORS(float *g, int run, const float *x, int row, const int *offsets,    \
                                                 const float *values, int count) {                                   \
    vf acc[ROWS][VECTORS];                                                                                           \
    UNROLL for (int r = 0; r < ROWS; r++) {                                                                          \
      UNROLL for (int v = 0; v < VECTORS; v++) acc[r][v] = load(g + r * run + v * VW);                               \
    }                                                                                                                \
    for (int q = 0; q < count; q++) {                                                                                \
      const float *window = x + offsets[q];                                                                          \
      vf d = splat(values[q]);                                                                                       \
      UNROLL for (int r = 0; r < ROWS; r++) {                                                                        \
        UNROLL for (int v = 0; v < VECTORS; v++) acc[r][v] += d * load(window + r * row + v * VW);                   \
      }                                                                                                              \
    }                                                                                                                \
    UNROLL for (int r = 0; r < ROWS; r++) {                                                                          \
      UNROLL for (int v = 0; v < VECTORS; v++) store(g + r * run + v * VW, acc[r][v]);                               \
    }                                                                                                                \
  }                                                                                                                  \
  static void input_gradient_##ROWS##x##VECTORS(const float *w, int run, float *x, int row, const int *offsets,     \
                                                const float *values, int count) {                                    \
    vf kept[ROWS][VECTORS];                                                                                          \
    UNROLL for (int r = 0; r < ROWS; r++) {                                                                          \
      UNROLL for (int v = 0; v < VECTORS; v++) kept[r][v] = load(w + r * run + v * VW);                              \
    }                                                                                                                \
    for (int q = 0; q < count; q++) {                                                                                \
      float *window = x + offsets[q];                                                                                \
      vf d = splat(values[q]);                                                                                       \
      UNROLL for (int r = 0; r < ROWS; r++) {                                                                        \
        UNROLL for (int v = 0; v < VECTORS; v++)                                                                     \
          store(window + r * row + v * VW, load(window + r * row + v * VW) + d * kept[r][v]);                        \
      }                                                                                                              \
    }                                                                                                                \
  }

LIST_KERNELS(1, 8)
LIST_KERNELS(1, 4)
LIST_KERNELS(2, 4)
LIST_KERNELS(3, 4)
LIST_KERNELS(1, 2)
LIST_KERNELS(5, 2)
LIST_KERNELS(1, 1)
LIST_KERNELS(5, 1)

// Calls KERNEL for blocks that cover the kernel's rows × the run's vectors.
#define COVER(KERNEL, fixed, moving)                                                                                 \
  for (int t = 0, left; (left = padded_run - t) > 0;) {                                                              \
    int width = left >= 8 * VW ? 8 : left >= 4 * VW ? 4 : left >= 2 * VW ? 2 : 1;                                    \
    for (int ky = 0; ky < kernel;) {                                                                                 \
      int rows = kernel - ky;                                                                                        \
      __typeof__(&KERNEL##_1x1) function;                                                                            \
      if (width == 8) function = KERNEL##_1x8, rows = 1;                                                             \
      else if (width == 4 && rows >= 3) function = KERNEL##_3x4, rows = 3;                                           \
      else if (width == 4 && rows == 2) function = KERNEL##_2x4;                                                     \
      else if (width == 4) function = KERNEL##_1x4;                                                                  \
      else if (width == 2 && rows >= 5) function = KERNEL##_5x2, rows = 5;                                           \
      else if (width == 2) function = KERNEL##_1x2, rows = 1;                                                        \
      else if (rows >= 5) function = KERNEL##_5x1, rows = 5;                                                         \
      else function = KERNEL##_1x1, rows = 1;                                                                        \
      function((fixed) + ky * padded_run + t, padded_run, (moving) + ky * in->value.row + t, in->value.row,                      \
               layer->list_offsets, layer->list_values, listed);                                                     \
      ky += rows;                                                                                                    \
    }                                                                                                                \
    t += width * VW;                                                                                                 \
  }

void conv_pool_backward(Layer *layer, int count) {
  const Tensor *in = layer->in, *out = layer->out;
  int filters = out->channels, kernel = kernel_of(layer), run = run_of(layer), padded_run = padded_run_of(layer);
  int positions = out->height * out->width, wants_input = in->wants_gradient;
  for (int f = 0; f < filters; f++) {
    if (layer->bias_count > 0) layer->bias_gradient[f] = 0;
    for (int ky = 0; ky < kernel; ky++)
      for (int t = 0; t < padded_run; t++) {
        int at = (f * kernel + ky) * padded_run + t;
        layer->transposed[at] = t < run ? layer->weights[(ky * run + t) * filters + f] : 0;
        layer->transposed_gradient[at] = 0;
      }
  }
  for (int n = 0; n < count; n++) {
    const float *x = in->value.data + (usize)n * in->value.image;
    const float *d = out->gradient.data + (usize)n * out->gradient.image;
    const int *map = layer->position_of_maximum + (usize)n * positions * filters;
    float *dx = wants_input ? in->gradient.data + (usize)n * in->gradient.image : 0;
    if (wants_input && !layer->adds_to_in)
      for (int i = 0; i < in->gradient.image; i++) dx[i] = 0;
    for (int f = 0; f < filters; f++) {
      // Always written and counted only where active: a branch here would be mispredicted half of the time.
      int listed = 0;
      float sum = 0;
      for (int q = 0; q < positions; q++) {
        int offset = map[layer->visit_map[q] + f];
        float value = d[layer->visit_gradient[q] + f];
        layer->list_offsets[listed] = offset;
        layer->list_values[listed] = value;
        sum += offset >= 0 ? value : 0;
        listed += offset >= 0;
      }
      if (layer->bias_count > 0) layer->bias_gradient[f] += sum;
      const float *weights = layer->transposed + f * kernel * padded_run;
      float *gradient = layer->transposed_gradient + f * kernel * padded_run;
      COVER(filter_gradient, gradient, x)
      if (wants_input) COVER(input_gradient, weights, dx)
    }
  }
  for (int f = 0; f < filters; f++)
    for (int ky = 0; ky < kernel; ky++)
      for (int t = 0; t < run; t++)
        layer->weight_gradient[(ky * run + t) * filters + f] =
            layer->transposed_gradient[(f * kernel + ky) * padded_run + t];
}
