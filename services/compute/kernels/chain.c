#include "chain.h"
#include "vmath.h"

void chain_begin(Chain *chain, int batch, int height, int width, int channels) {
  chain->batch = batch;
  chain->layer_count = 0;
  chain->tensors[0] = (Tensor){.height = height, .width = width, .channels = channels};
}

static Layer *add(Chain *chain, LayerKind kind, int height, int width, int channels) {
  if (chain->layer_count == MAX_LAYERS) REFUSE();
  Layer *layer = &chain->layers[chain->layer_count];
  Tensor *in = &chain->tensors[chain->layer_count];
  Tensor *out = &chain->tensors[++chain->layer_count];
  *out = (Tensor){.height = height, .width = width, .channels = channels};
  *layer = (Layer){.kind = kind, .in = in, .out = out};
  return layer;
}

void chain_add_conv(Chain *chain, int filters, int kernel, int same, Activation activation) {
  Tensor *in = &chain->tensors[chain->layer_count];
  int shrink = same ? 0 : kernel - 1;
  if (same) {
    // Keras puts the odd zero of an even kernel behind.
    in->pad = (kernel - 1) / 2;
    in->pad_after = kernel - 1 - in->pad;
  }
  Layer *layer = add(chain, LAYER_CONV, in->height - shrink, in->width - shrink, filters);
  layer->activation = activation;
  layer->kernel = kernel;
  layer->weight_count = kernel * kernel * in->channels * filters;
  layer->bias_count = filters;
}

void chain_add_pool(Chain *chain, int pool) {
  Tensor *in = &chain->tensors[chain->layer_count];
  Layer *before = chain->layer_count > 0 ? &chain->layers[chain->layer_count - 1] : 0;
  if (pool == 2 && before && before->kind == LAYER_CONV && before->activation == ACTIVATION_RELU) {
    before->kind = LAYER_CONV_RELU_POOL;
    in->height /= 2;
    in->width /= 2;
    return;
  }
  Layer *layer = add(chain, LAYER_POOL, in->height / pool, in->width / pool, in->channels);
  layer->pool = pool;
}

void chain_add_dense(Chain *chain, int units, Activation activation) {
  int features = tensor_features(&chain->tensors[chain->layer_count]);
  Layer *layer = add(chain, LAYER_DENSE, 1, 1, units);
  layer->activation = activation;
  layer->weight_count = features * units;
  layer->bias_count = units;
}

int chain_parameter_count(const Chain *chain) {
  int count = 0;
  for (int l = 0; l < chain->layer_count; l++) count += chain->layers[l].weight_count + chain->layers[l].bias_count;
  return count;
}

void chain_finish(Chain *chain, Parameters *parameters, int at, int gradient_channels, float *workspace) {
  chain->workspace = workspace;
  for (int t = 0; t <= chain->layer_count; t++) {
    Tensor *tensor = &chain->tensors[t];
    int frame = tensor->pad + tensor->pad_after;
    tensor->row = (tensor->width + frame) * tensor->channels;
    tensor->image = (tensor->height + frame) * tensor->row;
    tensor->data = alloc_floats((usize)chain->batch * tensor->image);
    if (t > 0 || gradient_channels > 0) tensor->gradient = alloc_floats((usize)chain->batch * tensor->image);
  }
  for (int l = 0; l < chain->layer_count; l++) {
    Layer *layer = &chain->layers[l];
    layer->gradient_channels = l == 0 ? gradient_channels : tensor_features(layer->in);
    layer->weights = parameters->values + at;
    layer->weight_gradient = parameters->gradients + at;
    at += layer->weight_count;
    layer->bias = parameters->values + at;
    layer->bias_gradient = parameters->gradients + at;
    at += layer->bias_count;
    if (layer->kind == LAYER_CONV || layer->kind == LAYER_CONV_RELU_POOL) conv_finish(layer, chain->batch);
    if (layer->kind == LAYER_POOL)
      layer->position_of_maximum = alloc_ints((usize)chain->batch * tensor_features(layer->out));
  }
}

void chain_forward(Chain *chain, int count) {
  for (int l = 0; l < chain->layer_count; l++) {
    Layer *layer = &chain->layers[l];
    switch (layer->kind) {
      case LAYER_CONV: conv_forward(layer, count); break;
      case LAYER_CONV_RELU_POOL: conv_pool_forward(layer, count); break;
      case LAYER_POOL: pool_forward(layer, count); break;
      case LAYER_DENSE: dense_forward(layer, count, chain->workspace); break;
    }
  }
}

void chain_backward(Chain *chain, int count) {
  for (int l = chain->layer_count - 1; l >= 0; l--) {
    Layer *layer = &chain->layers[l];
    switch (layer->kind) {
      case LAYER_CONV: conv_backward(layer, count, chain->workspace); break;
      case LAYER_CONV_RELU_POOL: conv_pool_backward(layer, count); break;
      case LAYER_POOL: pool_backward(layer, count); break;
      case LAYER_DENSE: dense_backward(layer, count, chain->workspace); break;
    }
  }
}

void activate(Activation activation, float *values, usize count) {
  // A comparison with zero from below keeps NaN, which would otherwise hide a diverged training.
  if (activation == ACTIVATION_RELU)
    for (usize i = 0; i < count; i += VW) {
      vf x = load(values + i);
      store(values + i, blend(x < splat(0), splat(0), x));
    }
  if (activation == ACTIVATION_SIGMOID)
    for (usize i = 0; i < count; i += VW) store(values + i, v_sigmoid(load(values + i)));
}

void activate_backward(Activation activation, const float *values, float *gradient, usize count) {
  if (activation == ACTIVATION_RELU)
    for (usize i = 0; i < count; i += VW)
      store(gradient + i, blend(load(values + i) > splat(0), load(gradient + i), splat(0)));
  if (activation == ACTIVATION_SIGMOID)
    for (usize i = 0; i < count; i += VW) {
      vf y = load(values + i);
      store(gradient + i, load(gradient + i) * y * (splat(1) - y));
    }
}
