// A chain of layers with its parameters: built once by the host layer by layer, then walked forward and backward.
#pragma once
#include "gemm.h"
#include "platform.h"

typedef enum { ACTIVATION_LINEAR, ACTIVATION_RELU, ACTIVATION_SIGMOID } Activation;
typedef enum { LAYER_CONV, LAYER_CONV_RELU_POOL, LAYER_POOL, LAYER_DENSE } LayerKind;

// Activations of a batch, NHWC, each image inside a frame of zeros as wide as the next convolution's `same` padding
// needs: no bounds are checked inside a convolution.
typedef struct {
  int height, width, channels;
  // Zero rows and columns before and after.
  int pad, pad_after;
  // Floats of a row and of an image, frame included.
  int row, image;
  float *data;
  // Derivative of the mean loss; NULL where nobody asks for it.
  float *gradient;
} Tensor;

typedef struct {
  LayerKind kind;
  Activation activation;
  // Edges of a convolution's square kernel and of a pool's square window.
  int kernel, pool;
  Tensor *in, *out;
  // Into the flat vectors of the parameters. Keras layouts: [kh,kw,in,out] or [in,out].
  int weight_count, bias_count;
  float *weights, *bias, *weight_gradient, *bias_gradient;
  // Leading channels of the input whose gradient is wanted: 0 for a first layer.
  int gradient_channels;
  // Scratch of a convolution, see conv.c.
  float *packed, *rows, *transposed, *transposed_gradient, *list_values, *patch;
  int *list_offsets, *position_of_maximum, *visit_map, *visit_gradient;
} Layer;

#define MAX_LAYERS 64

typedef struct {
  int batch, layer_count;
  float *workspace;
  Layer layers[MAX_LAYERS];
  Tensor tensors[MAX_LAYERS + 1];
} Chain;

// Flat vectors over all parameters, so that the optimiser is one loop.
typedef struct {
  int count;
  float *values, *gradients, *first_moments, *second_moments;
} Parameters;

SHARED void chain_begin(Chain *chain, int batch, int height, int width, int channels);
SHARED void chain_add_conv(Chain *chain, int filters, int kernel, int same, Activation activation);
// A 2×2 pool right after a ReLU convolution becomes one layer with it.
SHARED void chain_add_pool(Chain *chain, int pool);
SHARED void chain_add_dense(Chain *chain, int units, Activation activation);
SHARED int chain_parameter_count(const Chain *chain);
// Allocates everything. `at` is the chain's first place in the flat vectors; `gradient_channels` how many leading
// channels of the chain's input need a gradient.
SHARED void chain_finish(Chain *chain, Parameters *parameters, int at, int gradient_channels, float *workspace);

INLINE Tensor *chain_input(Chain *chain) { return &chain->tensors[0]; }
INLINE Tensor *chain_output(Chain *chain) { return &chain->tensors[chain->layer_count]; }
INLINE float *tensor_origin(const Tensor *t, float *data) { return data + t->pad * t->row + t->pad * t->channels; }
INLINE int tensor_features(const Tensor *t) { return t->height * t->width * t->channels; }

// From the input's data to the output's, for the first `count` images.
SHARED void chain_forward(Chain *chain, int count);
// From the output's gradient to the gradients of all parameters, overwriting them.
SHARED void chain_backward(Chain *chain, int count);

SHARED void conv_finish(Layer *layer, int batch);
SHARED void conv_forward(Layer *layer, int count);
SHARED void conv_backward(Layer *layer, int count, float *workspace);
SHARED void conv_pool_forward(Layer *layer, int count);
SHARED void conv_pool_backward(Layer *layer, int count);
SHARED void pool_forward(Layer *layer, int count);
SHARED void pool_backward(Layer *layer, int count);
SHARED void dense_forward(Layer *layer, int count, float *workspace);
SHARED void dense_backward(Layer *layer, int count, float *workspace);

// In place over `count` floats (up to VW - 1 more are touched).
SHARED void activate(Activation activation, float *values, usize count);
// gradient *= activation'(values), where values are what the activation gave.
SHARED void activate_backward(Activation activation, const float *values, float *gradient, usize count);
