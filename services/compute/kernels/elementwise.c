#include "graph.h"
#include "vmath.h"

// Layers that treat every number, or every pixel, by itself.

#define GOLDEN 0x9e3779b9u

// Finaliser of MurmurHash3, as src/dropout.ts has it.
INLINE unsigned mix32(unsigned x) {
  x = (x ^ (x >> 16)) * 0x85ebca6bu;
  x = (x ^ (x >> 13)) * 0xc2b2ae35u;
  return x ^ (x >> 16);
}

// target = source (or + target) where the counter lets it through, scaled.
static void drop_row(unsigned key, unsigned at, unsigned threshold, float kept, const float *source, float *target,
                     int length, int adds) {
  for (int i = 0; i < length; i++) {
    float value = mix32(key + (at + i) * GOLDEN) >= threshold ? source[i] * kept : 0;
    target[i] = adds ? target[i] + value : value;
  }
}

static void drop(const Graph *graph, const Layer *layer, const Plane *from, const Plane *to, int adds, int count) {
  const Tensor *in = layer->in;
  int line = in->width * in->channels;
  unsigned key = mix32(layer->seed ^ mix32(graph->step));
  unsigned threshold = (unsigned)(layer->rate * 4294967296.0);
  for (int n = 0; n < count; n++)
    for (int y = 0; y < in->height; y++)
      drop_row(key, (graph->first_image + n) * tensor_features(in) + y * line, threshold, (float)(1 / (1 - layer->rate)),
               plane_row(from, in->channels, n, y), plane_row(to, in->channels, n, y), line, adds);
}

static void copy_plane(const Tensor *in, const Plane *from, const Plane *to, int adds, int count) {
  int line = in->width * in->channels;
  for (int n = 0; n < count; n++)
    for (int y = 0; y < in->height; y++) {
      const float *source = plane_row(from, in->channels, n, y);
      float *target = plane_row(to, in->channels, n, y);
      if (adds)
        for (int i = 0; i < line; i++) target[i] += source[i];
      else
        for (int i = 0; i < line; i++) target[i] = source[i];
    }
}

void dropout_forward(const Graph *graph, Layer *layer, int count, Mode mode) {
  if (mode == MODE_TRAIN) drop(graph, layer, &layer->in->value, &layer->out->value, 0, count);
  else copy_plane(layer->in, &layer->in->value, &layer->out->value, 0, count);
}

void dropout_backward(const Graph *graph, Layer *layer, int count) {
  if (layer->in->wants_gradient)
    drop(graph, layer, &layer->out->gradient, &layer->in->gradient, layer->adds_to_in, count);
}

static void softmax_forward(const Layer *layer, int count) {
  const Tensor *in = layer->in;
  int channels = in->channels;
  for (int n = 0; n < count; n++)
    for (int y = 0; y < in->height; y++) {
      const float *x = plane_row(&in->value, channels, n, y);
      float *out = plane_row(&layer->out->value, channels, n, y);
      for (int i = 0; i < in->width; i++, x += channels, out += channels) {
        float maximum = x[0], sum = 0;
        for (int c = 1; c < channels; c++) maximum = x[c] > maximum ? x[c] : maximum;
        for (int c = 0; c < channels; c++) sum += out[c] = s_exp(x[c] - maximum);
        for (int c = 0; c < channels; c++) out[c] /= sum;
      }
    }
}

// dx = p·(dp − Σ dp·p)
static void softmax_backward(const Layer *layer, int count) {
  const Tensor *in = layer->in;
  int channels = in->channels, adds = layer->adds_to_in;
  for (int n = 0; n < count; n++)
    for (int y = 0; y < in->height; y++) {
      const float *p = plane_row(&layer->out->value, channels, n, y);
      const float *d = plane_row(&layer->out->gradient, channels, n, y);
      float *target = plane_row(&in->gradient, channels, n, y);
      for (int i = 0; i < in->width; i++, p += channels, d += channels, target += channels) {
        float sum = 0;
        for (int c = 0; c < channels; c++) sum += d[c] * p[c];
        for (int c = 0; c < channels; c++) target[c] = (adds ? target[c] : 0) + p[c] * (d[c] - sum);
      }
    }
}

void activation_forward(Layer *layer, int count) {
  if (layer->activation == ACTIVATION_SOFTMAX) {
    softmax_forward(layer, count);
    return;
  }
  copy_plane(layer->in, &layer->in->value, &layer->out->value, 0, count);
  activate_plane(layer->activation, layer->out, count);
}

void activation_backward(Layer *layer, int count) {
  if (layer->activation == ACTIVATION_SOFTMAX) {
    if (layer->in->wants_gradient) softmax_backward(layer, count);
    return;
  }
  activate_plane_backward(layer->activation, layer->out, count);
  if (layer->in->wants_gradient)
    copy_plane(layer->in, &layer->out->gradient, &layer->in->gradient, layer->adds_to_in, count);
}

void add_forward(Layer *layer, int count) {
  const Tensor *a = layer->in, *b = layer->second, *out = layer->out;
  int line = out->width * out->channels, is_relu = layer->activation == ACTIVATION_RELU;
  for (int n = 0; n < count; n++)
    for (int y = 0; y < out->height; y++) {
      const float *x = plane_row(&a->value, out->channels, n, y), *z = plane_row(&b->value, out->channels, n, y);
      float *target = plane_row(&out->value, out->channels, n, y);
      if (is_relu)
        for (int i = 0; i < line; i++) {
          float sum = x[i] + z[i];
          target[i] = sum < 0 ? 0 : sum;
        }
      else
        for (int i = 0; i < line; i++) target[i] = x[i] + z[i];
    }
  if (layer->activation == ACTIVATION_SIGMOID) activate_plane(ACTIVATION_SIGMOID, out, count);
}

void add_backward(Layer *layer, int count) {
  const Tensor *out = layer->out;
  activate_plane_backward(layer->activation, out, count);
  if (layer->in->wants_gradient) copy_plane(out, &out->gradient, &layer->in->gradient, layer->adds_to_in, count);
  if (layer->second->wants_gradient)
    copy_plane(out, &out->gradient, &layer->second->gradient, layer->adds_to_second, count);
}

// Between the channels from `at` on of the joined tensor and all of a part.
static void copy_part(const Tensor *joined, const Plane *whole, const Tensor *part, const Plane *plane, int at,
                      int to_part, int adds, int count) {
  int channels = part->channels;
  for (int n = 0; n < count; n++)
    for (int y = 0; y < joined->height; y++) {
      float *in = plane_row(plane, channels, n, y), *out = plane_row(whole, joined->channels, n, y) + at;
      for (int x = 0; x < joined->width; x++, in += channels, out += joined->channels) {
        if (!to_part)
          for (int c = 0; c < channels; c++) out[c] = in[c];
        else if (adds)
          for (int c = 0; c < channels; c++) in[c] += out[c];
        else
          for (int c = 0; c < channels; c++) in[c] = out[c];
      }
    }
}

void concat_forward(Layer *layer, int count) {
  const Tensor *a = layer->in, *b = layer->second, *out = layer->out;
  copy_part(out, &out->value, a, &a->value, 0, 0, 0, count);
  copy_part(out, &out->value, b, &b->value, a->channels, 0, 0, count);
}

void concat_backward(Layer *layer, int count) {
  const Tensor *a = layer->in, *b = layer->second, *out = layer->out;
  if (a->wants_gradient) copy_part(out, &out->gradient, a, &a->gradient, 0, 1, layer->adds_to_in, count);
  if (b->wants_gradient) copy_part(out, &out->gradient, b, &b->gradient, a->channels, 1, layer->adds_to_second, count);
}

// Copies all numbers in order between two shapes; a row of the one may end inside a row of the other.
static void copy_reshaped(const Tensor *in, const Plane *from, const Tensor *out, const Plane *to, int adds,
                          int count) {
  int in_line = in->width * in->channels, out_line = out->width * out->channels;
  for (int n = 0; n < count; n++)
    for (int at = 0, features = tensor_features(in); at < features;) {
      const float *source = plane_row(from, in->channels, n, at / in_line) + at % in_line;
      float *target = plane_row(to, out->channels, n, at / out_line) + at % out_line;
      int length = min_int(in_line - at % in_line, out_line - at % out_line);
      for (int i = 0; i < length; i++) target[i] = source[i] + (adds ? target[i] : 0);
      at += length;
    }
}

void reshape_forward(Layer *layer, int count) {
  copy_reshaped(layer->in, &layer->in->value, layer->out, &layer->out->value, 0, count);
}

void reshape_backward(Layer *layer, int count) {
  if (layer->in->wants_gradient)
    copy_reshaped(layer->out, &layer->out->gradient, layer->in, &layer->in->gradient, layer->adds_to_in, count);
}
