#include "chain.h"

// Max-pool with windows side by side, for those that no convolution takes with it. The map remembers where in the
// input's image each maximum was.

void pool_forward(Layer *layer, int count) {
  const Tensor *in = layer->in, *out = layer->out;
  int size = layer->pool, channels = in->channels;
  int *map = layer->position_of_maximum;
  for (int n = 0; n < count; n++)
    for (int y = 0; y < out->height; y++)
      for (int x = 0; x < out->width; x++)
        for (int c = 0; c < channels; c++) {
          const float *image = in->data + (usize)n * in->image;
          int best = (y * size + in->pad) * in->row + (x * size + in->pad) * channels + c;
          for (int dy = 0; dy < size; dy++)
            for (int dx = 0; dx < size; dx++) {
              int at = (y * size + dy + in->pad) * in->row + (x * size + dx + in->pad) * channels + c;
              if (image[at] > image[best]) best = at;
            }
          tensor_origin(out, out->data)[(usize)n * out->image + y * out->row + x * channels + c] = image[best];
          *map++ = best;
        }
}

void pool_backward(Layer *layer, int count) {
  const Tensor *in = layer->in, *out = layer->out;
  if (layer->gradient_channels == 0) return;
  const int *map = layer->position_of_maximum;
  for (usize i = 0; i < (usize)count * in->image; i++) in->gradient[i] = 0;
  for (int n = 0; n < count; n++)
    for (int y = 0; y < out->height; y++)
      for (int i = 0; i < out->width * out->channels; i++)
        in->gradient[(usize)n * in->image + *map++] +=
            tensor_origin(out, out->gradient)[(usize)n * out->image + y * out->row + i];
}
