#include "graph.h"

// Batch norm over the pixels of a batch (Ioffe and Szegedy, 2015, algorithm 1), with the activation that follows it.
// Sums run in float over an image and in double over the batch: a float alone loses digits over millions of pixels.

void norm_finish(Layer *layer) {
  int channels = layer->in->channels;
  layer->mean = alloc_floats(channels);
  layer->variance = alloc_floats(channels);
  layer->row_sums = alloc_floats(4 * (channels + VW));
  layer->sums = arena_alloc((usize)(2 * channels + SLACK) * sizeof(double));
}

void norm_forward(Layer *layer, int count, Mode mode) {
  const Tensor *in = layer->in, *out = layer->out;
  int channels = in->channels, padded = round_up(channels, VW);
  float *scale = layer->row_sums, *shift = scale + padded, *partial = shift + padded;
  double *sums = layer->sums, share = 1.0 / ((double)count * in->height * in->width);
  float *mean = layer->mean, *variance = layer->variance;
  if (mode == MODE_TRAIN) {
    for (int centred = 0; centred < 2; centred++) {
      for (int c = 0; c < channels; c++) sums[c] = 0;
      for (int n = 0; n < count; n++) {
        for (int c = 0; c < channels; c += VW) {
          vf sum = splat(0), centre = centred ? load(mean + c) : splat(0);
          for (int y = 0; y < in->height; y++) {
            const float *row = plane_row(&in->value, channels, n, y) + c;
            if (centred)
              for (int x = 0; x < in->width; x++) {
                vf d = load(row + x * channels) - centre;
                sum += d * d;
              }
            else
              for (int x = 0; x < in->width; x++) sum += load(row + x * channels);
          }
          store(partial + c, sum);
        }
        for (int c = 0; c < channels; c++) sums[c] += partial[c];
      }
      for (int c = 0; c < channels; c++) (centred ? variance : mean)[c] = (float)(sums[c] * share);
    }
  } else {
    mean = layer->moving_mean;
    variance = layer->moving_variance;
  }
  for (int c = 0; c < channels; c++) {
    scale[c] = layer->weights[c] / __builtin_sqrtf(variance[c] + layer->epsilon);
    shift[c] = layer->bias[c] - mean[c] * scale[c];
  }
  int is_relu = layer->activation == ACTIVATION_RELU, whole = channels / VW * VW;
  for (int n = 0; n < count; n++)
    for (int y = 0; y < in->height; y++) {
      const float *row = plane_row(&in->value, channels, n, y);
      float *target = plane_row(&out->value, channels, n, y);
      for (int x = 0; x < in->width; x++, row += channels, target += channels) {
        for (int c = 0; c < whole; c += VW) {
          vf value = load(row + c) * load(scale + c) + load(shift + c);
          if (is_relu) value = blend(value < splat(0), splat(0), value);
          store(target + c, value);
        }
        for (int c = whole; c < channels; c++) {
          float value = row[c] * scale[c] + shift[c];
          target[c] = is_relu && value < 0 ? 0 : value;
        }
      }
    }
  if (layer->activation == ACTIVATION_SIGMOID) activate_plane(ACTIVATION_SIGMOID, out, count);
}

// With x̂ = (x − mean)/√(variance + ε) and m pixels: dβ = Σ dy, dγ = Σ dy·x̂,
// dx = γ/√(variance + ε) · (dy − dβ/m − x̂·dγ/m).
void norm_backward(Layer *layer, int count) {
  const Tensor *in = layer->in, *out = layer->out;
  int channels = in->channels, padded = round_up(channels, VW), whole = channels / VW * VW;
  int is_relu = layer->activation == ACTIVATION_RELU;
  if (layer->activation == ACTIVATION_SIGMOID) activate_plane_backward(ACTIVATION_SIGMOID, out, count);
  float *partial = layer->row_sums, *partial_product = partial + padded;
  double *sums = layer->sums, *products = sums + channels;
  for (int c = 0; c < 2 * channels; c++) sums[c] = 0;
  const float *mean = layer->mean;
  for (int n = 0; n < count; n++) {
    for (int c = 0; c < channels; c += VW) {
      vf sum = splat(0), product = splat(0), centre = load(mean + c);
      for (int y = 0; y < in->height; y++) {
        const float *x = plane_row(&in->value, channels, n, y) + c;
        const float *value = plane_row(&out->value, channels, n, y) + c;
        const float *d = plane_row(&out->gradient, channels, n, y) + c;
        for (int i = 0; i < in->width * channels; i += channels) {
          vf dy = load(d + i);
          if (is_relu) dy = blend(load(value + i) > splat(0), dy, splat(0));
          sum += dy;
          product += dy * (load(x + i) - centre);
        }
      }
      store(partial + c, sum);
      store(partial_product + c, product);
    }
    for (int c = 0; c < channels; c++) sums[c] += partial[c], products[c] += partial_product[c];
  }
  double share = 1.0 / ((double)count * in->height * in->width);
  float *scale = layer->row_sums, *offset = scale + padded, *slope = offset + padded;
  for (int c = 0; c < channels; c++) {
    float inverse = 1 / __builtin_sqrtf(layer->variance[c] + layer->epsilon);
    layer->weight_gradient[c] = (float)(products[c] * inverse);
    layer->bias_gradient[c] = (float)sums[c];
    scale[c] = layer->weights[c] * inverse;
    slope[c] = -scale[c] * inverse * inverse * (float)(products[c] * share);
    offset[c] = -scale[c] * (float)(sums[c] * share) - slope[c] * mean[c];
  }
  if (!in->wants_gradient) return;
  int adds = layer->adds_to_in;
  for (int n = 0; n < count; n++)
    for (int y = 0; y < in->height; y++) {
      const float *x = plane_row(&in->value, channels, n, y);
      const float *value = plane_row(&out->value, channels, n, y);
      const float *d = plane_row(&out->gradient, channels, n, y);
      float *target = plane_row(&in->gradient, channels, n, y);
      for (int i = 0; i < in->width; i++) {
        for (int c = 0; c < whole; c += VW) {
          vf dy = load(d + c);
          if (is_relu) dy = blend(load(value + c) > splat(0), dy, splat(0));
          vf dx = dy * load(scale + c) + load(x + c) * load(slope + c) + load(offset + c);
          if (adds) dx += load(target + c);
          store(target + c, dx);
        }
        for (int c = whole; c < channels; c++) {
          float dy = is_relu && !(value[c] > 0) ? 0 : d[c];
          target[c] = dy * scale[c] + x[c] * slope[c] + offset[c] + (adds ? target[c] : 0);
        }
        x += channels, value += channels, d += channels, target += channels;
      }
    }
}
