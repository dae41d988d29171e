#include "direct.h"

// Convolutions of any geometry, and transposed ones, which are the same three products in other roles.

static void allocate_scratch(Layer *layer, int large, int small) {
  const Windows *w = &layer->windows;
  layer->packed = alloc_floats(direct_windows_floats(w, large, small));
  layer->packed_back = alloc_floats(direct_spread_floats(w, small, large));
  layer->sum_tiles = alloc_floats(direct_correlate_floats(w, large, small));
  layer->row_sums = alloc_floats(layer->out->channels + VW);
}

// A layer that stores gradients by offsets from the images' windows leaves some in the frame.
static void clear_frame(const Tensor *tensor, int count) {
  const Plane *p = &tensor->gradient;
  int line = tensor->width * tensor->channels, left = p->frame.left * tensor->channels;
  for (int n = 0; n < count; n++) {
    float *image = p->data + (usize)n * p->image;
    for (int i = 0; i < p->frame.top * p->row; i++) image[i] = 0;
    for (int i = (p->frame.top + tensor->height) * p->row; i < p->image; i++) image[i] = 0;
    for (int y = 0; y < tensor->height; y++) {
      float *row = image + (p->frame.top + y) * p->row;
      for (int i = 0; i < left; i++) row[i] = 0;
      for (int i = left + line; i < p->row; i++) row[i] = 0;
    }
  }
}

static void prepare_gradient(Layer *layer, int count) {
  const Tensor *out = layer->out;
  if (out->has_dirty_frame) clear_frame(out, count);
  activate_plane_backward(layer->activation, out, count);
  if (layer->bias_count > 0)
    direct_sum_pixels(side_of(out, &out->gradient), layer->bias_gradient, layer->row_sums, count);
}

INLINE const float *bias_of(const Layer *layer) { return layer->bias_count > 0 ? layer->bias : 0; }

void conv_reserve_frames(Layer *layer) {
  Tensor *in = layer->in, *out = layer->out;
  const Windows *w = &layer->windows;
  if (layer->kind == LAYER_CONV_RELU_POOL) {
    direct_windows_frame(&in->value.frame, w, in->height, in->width, 2 * out->height, 2 * out->width);
    in->has_dirty_frame |= in->wants_gradient;
    return;
  }
  direct_windows_frame(&in->value.frame, w, in->height, in->width, out->height, out->width);
  if (in->wants_gradient) direct_spread_frame(&out->gradient.frame, w, in->height, in->width, out->height, out->width);
}

void conv_finish(Layer *layer) { allocate_scratch(layer, layer->in->channels, layer->out->channels); }

void conv_forward(Layer *layer, int count) {
  const Tensor *in = layer->in, *out = layer->out;
  direct_windows(&layer->windows, side_of(in, &in->value), side_of(out, &out->value), layer->weights, bias_of(layer),
                 layer->activation, 0, layer->packed, count);
  if (layer->activation == ACTIVATION_SIGMOID) activate_plane(ACTIVATION_SIGMOID, out, count);
}

void conv_backward(Layer *layer, int count) {
  const Tensor *in = layer->in, *out = layer->out;
  prepare_gradient(layer, count);
  Side gradient = side_of(out, &out->gradient);
  direct_correlate(&layer->windows, side_of(in, &in->value), gradient, layer->weight_gradient, layer->sum_tiles, count);
  if (in->wants_gradient)
    direct_spread(&layer->windows, gradient, side_of(in, &in->gradient), layer->weights, 0, ACTIVATION_LINEAR,
                  layer->adds_to_in, layer->packed_back, count);
}

void conv_transpose_reserve_frames(Layer *layer) {
  Tensor *in = layer->in, *out = layer->out;
  const Windows *w = &layer->windows;
  direct_spread_frame(&in->value.frame, w, out->height, out->width, in->height, in->width);
  direct_windows_frame(&out->gradient.frame, w, out->height, out->width, in->height, in->width);
}

void conv_transpose_finish(Layer *layer) { allocate_scratch(layer, layer->out->channels, layer->in->channels); }

void conv_transpose_forward(Layer *layer, int count) {
  const Tensor *in = layer->in, *out = layer->out;
  direct_spread(&layer->windows, side_of(in, &in->value), side_of(out, &out->value), layer->weights, bias_of(layer),
                layer->activation, 0, layer->packed_back, count);
  if (layer->activation == ACTIVATION_SIGMOID) activate_plane(ACTIVATION_SIGMOID, out, count);
}

void conv_transpose_backward(Layer *layer, int count) {
  const Tensor *in = layer->in, *out = layer->out;
  prepare_gradient(layer, count);
  Side gradient = side_of(out, &out->gradient);
  direct_correlate(&layer->windows, gradient, side_of(in, &in->value), layer->weight_gradient, layer->sum_tiles, count);
  if (in->wants_gradient)
    direct_windows(&layer->windows, gradient, side_of(in, &in->gradient), layer->weights, 0, ACTIVATION_LINEAR,
                   layer->adds_to_in, layer->packed, count);
}
