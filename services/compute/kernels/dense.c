#include "graph.h"

// No convolution reads or makes what a dense layer takes and gives, so neither is framed: both sides are plain
// [count, features] matrices.

void dense_forward(Layer *layer, int count, float *workspace) {
  int in = tensor_features(layer->in), out = layer->out->channels;
  gemm(workspace, count, out, in, (Matrix){layer->in->value.data, in, 1}, (Matrix){layer->weights, out, 1},
       layer->out->value.data, out, layer->bias_count > 0 ? layer->bias : 0, GEMM_OVERWRITE);
  activate(layer->activation, layer->out->value.data, (usize)count * out);
}

void dense_backward(Layer *layer, int count, float *workspace) {
  int in = tensor_features(layer->in), out = layer->out->channels;
  float *d = layer->out->gradient.data;
  activate_backward(layer->activation, layer->out->value.data, d, (usize)count * out);
  gemm(workspace, in, out, count, (Matrix){layer->in->value.data, 1, in}, (Matrix){d, out, 1}, layer->weight_gradient,
       out, 0, GEMM_OVERWRITE);
  for (int j = 0; j < layer->bias_count; j++) layer->bias_gradient[j] = 0;
  for (int i = 0; i < count; i++)
    for (int j = 0; j < layer->bias_count; j++) layer->bias_gradient[j] += d[(usize)i * out + j];
  if (layer->in->wants_gradient)
    gemm(workspace, count, in, out, (Matrix){d, out, 1}, (Matrix){layer->weights, 1, out}, layer->in->gradient.data, in,
         0, layer->adds_to_in ? GEMM_ACCUMULATE : GEMM_OVERWRITE);
}
