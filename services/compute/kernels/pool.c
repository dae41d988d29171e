#include "graph.h"

// Pools of any window. The map of a max-pool remembers where in the gradient's image each maximum was, without the
// channel.

void pool_finish(Layer *layer, int batch) {
  layer->position_of_maximum = alloc_ints((usize)batch * tensor_features(layer->out));
}

// The part of a window that lies inside the image.
typedef struct {
  int from, to;
} Span;

static Span span_of(int at, int stride, int pad, int window, int size) {
  int from = at * stride - pad, to = from + window;
  return (Span){from < 0 ? 0 : from, to > size ? size : to};
}

INLINE Span rows_of(const Layer *l, int y) {
  return span_of(y, l->windows.stride_y, l->windows.pad_top, l->windows.kernel_height, l->in->height);
}
INLINE Span columns_of(const Layer *l, int x) {
  return span_of(x, l->windows.stride_x, l->windows.pad_left, l->windows.kernel_width, l->in->width);
}

void max_pool_forward(Layer *layer, int count) {
  const Tensor *in = layer->in, *out = layer->out;
  const Plane *v = &in->value;
  // Where no gradient is wanted the map is of no use, and neither is its layout.
  const Plane *g = in->gradient.data ? &in->gradient : v;
  int channels = in->channels;
  int *map = layer->position_of_maximum;
  for (int n = 0; n < count; n++)
    for (int y = 0; y < out->height; y++) {
      Span rows = rows_of(layer, y);
      float *target = plane_row(&out->value, channels, n, y);
      for (int x = 0; x < out->width; x++, target += channels, map += channels) {
        Span columns = columns_of(layer, x);
        for (int c = 0; c < channels; c += VW) {
          vf best = splat(0);
          vi at = splat_int(0);
          for (int iy = rows.from; iy < rows.to; iy++) {
            const float *row = plane_row(v, channels, n, iy) + c;
            int offset = (g->frame.top + iy) * g->row + g->frame.left * channels;
            for (int ix = columns.from; ix < columns.to; ix++) {
              vf next = load(row + ix * channels);
              // NaN counts as the largest, so that it isn't lost.
              vi better = (next > best) | (next != next);
              if (iy == rows.from && ix == columns.from) better = splat_int(-1);
              best = blend(better, next, best);
              at = blend_int(better, splat_int(offset + ix * channels), at);
            }
          }
          if (c + VW <= channels) {
            store(target + c, best);
            *(vi *)(map + c) = at;
          } else {
            for (int lane = 0; c + lane < channels; lane++) target[c + lane] = best[lane], map[c + lane] = at[lane];
          }
        }
      }
    }
}

void max_pool_backward(Layer *layer, int count) {
  const Tensor *in = layer->in, *out = layer->out;
  if (!in->wants_gradient) return;
  int channels = in->channels;
  const int *map = layer->position_of_maximum;
  if (!layer->adds_to_in) plane_clear(&in->gradient, count);
  for (int n = 0; n < count; n++) {
    float *image = in->gradient.data + (usize)n * in->gradient.image;
    for (int y = 0; y < out->height; y++) {
      const float *d = plane_row(&out->gradient, channels, n, y);
      for (int x = 0; x < out->width; x++, d += channels, map += channels)
        for (int c = 0; c < channels; c++) image[map[c] + c] += d[c];
    }
  }
}

void average_pool_forward(Layer *layer, int count) {
  const Tensor *in = layer->in, *out = layer->out;
  int channels = in->channels;
  for (int n = 0; n < count; n++)
    for (int y = 0; y < out->height; y++) {
      Span rows = rows_of(layer, y);
      float *target = plane_row(&out->value, channels, n, y);
      for (int x = 0; x < out->width; x++, target += channels) {
        Span columns = columns_of(layer, x);
        float share = 1.0f / ((rows.to - rows.from) * (columns.to - columns.from));
        for (int c = 0; c < channels; c++) {
          float sum = 0;
          for (int iy = rows.from; iy < rows.to; iy++)
            for (int ix = columns.from; ix < columns.to; ix++)
              sum += plane_row(&in->value, channels, n, iy)[ix * channels + c];
          target[c] = sum * share;
        }
      }
    }
}

void average_pool_backward(Layer *layer, int count) {
  const Tensor *in = layer->in, *out = layer->out;
  if (!in->wants_gradient) return;
  int channels = in->channels;
  if (!layer->adds_to_in) plane_clear(&in->gradient, count);
  for (int n = 0; n < count; n++)
    for (int y = 0; y < out->height; y++) {
      Span rows = rows_of(layer, y);
      const float *d = plane_row(&out->gradient, channels, n, y);
      for (int x = 0; x < out->width; x++, d += channels) {
        Span columns = columns_of(layer, x);
        float share = 1.0f / ((rows.to - rows.from) * (columns.to - columns.from));
        for (int iy = rows.from; iy < rows.to; iy++)
          for (int ix = columns.from; ix < columns.to; ix++) {
            float *target = plane_row(&in->gradient, channels, n, iy) + ix * channels;
            for (int c = 0; c < channels; c++) target[c] += d[c] * share;
          }
      }
    }
}

void global_average_forward(Layer *layer, int count) {
  const Tensor *in = layer->in, *out = layer->out;
  int channels = in->channels;
  float share = 1.0f / (in->height * in->width);
  for (int n = 0; n < count; n++) {
    float *target = plane_row(&out->value, channels, n, 0);
    for (int c = 0; c < channels; c++) target[c] = 0;
    for (int y = 0; y < in->height; y++) {
      const float *row = plane_row(&in->value, channels, n, y);
      for (int x = 0; x < in->width; x++, row += channels)
        for (int c = 0; c < channels; c++) target[c] += row[c];
    }
    for (int c = 0; c < channels; c++) target[c] *= share;
  }
}

void global_average_backward(Layer *layer, int count) {
  const Tensor *in = layer->in, *out = layer->out;
  if (!in->wants_gradient) return;
  int channels = in->channels, adds = layer->adds_to_in;
  float share = 1.0f / (in->height * in->width);
  for (int n = 0; n < count; n++) {
    const float *d = plane_row(&out->gradient, channels, n, 0);
    for (int y = 0; y < in->height; y++) {
      float *row = plane_row(&in->gradient, channels, n, y);
      for (int x = 0; x < in->width; x++, row += channels)
        for (int c = 0; c < channels; c++) row[c] = (adds ? row[c] : 0) + d[c] * share;
    }
  }
}
