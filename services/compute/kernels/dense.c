#include "chain.h"

// The output may be framed only where a convolution follows, which no dense layer precedes: both sides are plain
// [count, features] matrices.

void dense_forward(Layer *layer, int count, float *workspace) {
  int in = tensor_features(layer->in), out = layer->bias_count;
  gemm(workspace, count, out, in, (Matrix){layer->in->data, in, 1}, (Matrix){layer->weights, out, 1},
       layer->out->data, out, layer->bias, GEMM_OVERWRITE);
  activate(layer->activation, layer->out->data, (usize)count * out);
}

void dense_backward(Layer *layer, int count, float *workspace) {
  int in = tensor_features(layer->in), out = layer->bias_count;
  float *d = layer->out->gradient;
  activate_backward(layer->activation, layer->out->data, d, (usize)count * out);
  gemm(workspace, in, out, count, (Matrix){layer->in->data, 1, in}, (Matrix){d, out, 1}, layer->weight_gradient, out,
       0, GEMM_OVERWRITE);
  for (int j = 0; j < out; j++) layer->bias_gradient[j] = 0;
  for (int i = 0; i < count; i++)
    for (int j = 0; j < out; j++) layer->bias_gradient[j] += d[(usize)i * out + j];
  if (layer->gradient_channels > 0)
    gemm(workspace, count, layer->gradient_channels, out, (Matrix){d, out, 1}, (Matrix){layer->weights, 1, out},
         layer->in->gradient, in, 0, GEMM_OVERWRITE);
}
