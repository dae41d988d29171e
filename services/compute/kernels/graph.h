// A network with its parameters: built once by the host layer by layer, then walked forward and backward. Layers are in
// an order in which each comes after its inputs.
#pragma once
#include "gemm.h"
#include "platform.h"

typedef enum { ACTIVATION_LINEAR, ACTIVATION_RELU, ACTIVATION_SIGMOID, ACTIVATION_SOFTMAX } Activation;
typedef enum {
  // Done by another layer, or the output is the input seen otherwise.
  LAYER_NONE,
  LAYER_CONV,
  LAYER_CONV_RELU_POOL,
  LAYER_CONV_TRANSPOSE,
  LAYER_MAX_POOL,
  LAYER_AVERAGE_POOL,
  LAYER_GLOBAL_AVERAGE,
  LAYER_DENSE,
  LAYER_BATCH_NORM,
  LAYER_DROPOUT,
  LAYER_ACTIVATION,
  LAYER_ADD,
  LAYER_CONCAT,
  LAYER_RESHAPE
} LayerKind;

// Zero rows and columns around an image.
typedef struct {
  int top, bottom, left, right;
} Frame;

// Numbers of a batch, NHWC, each image inside a frame of zeros as wide as the layers that read it need: no bounds are
// checked inside a convolution.
typedef struct {
  float *data;
  Frame frame;
  // Floats of a row and of an image, frame included.
  int row, image;
} Plane;

typedef struct Tensor {
  int height, width, channels;
  Plane value;
  // Derivative of the mean loss; without data where nobody asks for it.
  Plane gradient;
  int wants_gradient;
  // Layers that read it, and whether one of them leaves rubbish in the gradient's frame.
  int readers, has_dirty_frame;
  // The tensor whose memory this one is, itself for most.
  struct Tensor *root;
} Tensor;

// The geometry of a convolution: windows of a larger image, each of which makes one pixel of a smaller one. A
// transposed convolution goes the other way.
typedef struct {
  int kernel_height, kernel_width, stride_y, stride_x, pad_top, pad_left;
} Windows;

typedef struct {
  LayerKind kind;
  Activation activation;
  Windows windows;
  // The second is of a sum or a concatenation.
  Tensor *in, *second, *out;
  // Whether the gradient of an input is added to what later layers left there.
  int adds_to_in, adds_to_second;
  // Into the flat vectors of the parameters. Keras layouts: [kh,kw,in,out], transposed [kh,kw,out,in], [in,out];
  // a batch norm has gamma as weights and beta as bias.
  int weight_count, bias_count;
  float *weights, *bias, *weight_gradient, *bias_gradient;
  float l2;
  // Batch norm: into the flat vector of the statistics, and of this batch.
  int statistic_count;
  float momentum, epsilon;
  float *moving_mean, *moving_variance, *mean, *variance;
  double *sums;
  // Dropout.
  double rate;
  unsigned seed;
  // Scratch.
  float *packed, *packed_back, *sum_tiles, *row_sums;
  float *rows, *transposed, *transposed_gradient, *list_values;
  int *list_offsets, *position_of_maximum, *visit_map, *visit_gradient;
} Layer;

#define MAX_LAYERS 1024
#define MAX_INPUTS 4

typedef struct {
  int batch, layer_count, tensor_count;
  // Steps done, and the place of the first image in the whole batch: dropout goes by them.
  unsigned step, first_image;
  float *workspace;
  Layer layers[MAX_LAYERS];
  Tensor tensors[MAX_LAYERS + MAX_INPUTS];
} Graph;

// Flat vectors over all parameters, so that the optimiser is one loop.
typedef struct {
  int count, statistic_count;
  float *values, *gradients, *first_moments, *second_moments;
  // Running average of the values; NULL unless wanted.
  float *averages;
  // Moving means and variances, which no optimiser touches.
  float *statistics;
} Parameters;

typedef enum { MODE_PREDICT, MODE_TRAIN } Mode;

SHARED void graph_begin(Graph *graph, int batch);
// Inputs first; returns the tensor's number, as all of these do.
SHARED int graph_input(Graph *graph, int height, int width, int channels, int wants_gradient);
SHARED int graph_parameter_count(const Graph *graph);
SHARED int graph_statistic_count(const Graph *graph);
// Allocates everything. `at` and `statistics_at` are the graph's first places in the flat vectors.
SHARED void graph_finish(Graph *graph, Parameters *parameters, int at, int statistics_at, float *workspace);

INLINE Tensor *graph_output(Graph *graph) { return &graph->tensors[graph->tensor_count - 1]; }
INLINE int tensor_features(const Tensor *t) { return t->height * t->width * t->channels; }
INLINE float *plane_origin(const Plane *p, int channels) {
  return p->data + p->frame.top * p->row + p->frame.left * channels;
}
// First pixel of row y of image n, inside the frame.
INLINE float *plane_row(const Plane *p, int channels, int n, int y) {
  return plane_origin(p, channels) + (usize)n * p->image + y * p->row;
}

// From the inputs' data to the output's, for the first `count` images.
SHARED void graph_forward(Graph *graph, int count, Mode mode);
// From the output's gradient to the gradients of all parameters, overwriting them, l2 included.
SHARED void graph_backward(Graph *graph, int count);
// Σ l2·weight²
SHARED double graph_penalty(const Graph *graph);
// Moves the moving statistics by the last batch of a training forward pass.
SHARED void graph_move_statistics(Graph *graph);

SHARED void conv_reserve_frames(Layer *layer);
SHARED void conv_finish(Layer *layer);
SHARED void conv_forward(Layer *layer, int count);
SHARED void conv_backward(Layer *layer, int count);
SHARED void conv_transpose_reserve_frames(Layer *layer);
SHARED void conv_transpose_finish(Layer *layer);
SHARED void conv_transpose_forward(Layer *layer, int count);
SHARED void conv_transpose_backward(Layer *layer, int count);
SHARED void conv_pool_finish(Layer *layer, int batch);
SHARED void conv_pool_forward(Layer *layer, int count);
SHARED void conv_pool_backward(Layer *layer, int count);
SHARED void pool_finish(Layer *layer, int batch);
SHARED void max_pool_forward(Layer *layer, int count);
SHARED void max_pool_backward(Layer *layer, int count);
SHARED void average_pool_forward(Layer *layer, int count);
SHARED void average_pool_backward(Layer *layer, int count);
SHARED void global_average_forward(Layer *layer, int count);
SHARED void global_average_backward(Layer *layer, int count);
SHARED void dense_forward(Layer *layer, int count, float *workspace);
SHARED void dense_backward(Layer *layer, int count, float *workspace);
SHARED void norm_finish(Layer *layer);
SHARED void norm_forward(Layer *layer, int count, Mode mode);
SHARED void norm_backward(Layer *layer, int count);
SHARED void dropout_forward(const Graph *graph, Layer *layer, int count, Mode mode);
SHARED void dropout_backward(const Graph *graph, Layer *layer, int count);
SHARED void activation_forward(Layer *layer, int count);
SHARED void activation_backward(Layer *layer, int count);
SHARED void add_forward(Layer *layer, int count);
SHARED void add_backward(Layer *layer, int count);
SHARED void concat_forward(Layer *layer, int count);
SHARED void concat_backward(Layer *layer, int count);
SHARED void reshape_forward(Layer *layer, int count);
SHARED void reshape_backward(Layer *layer, int count);

// In place over `count` floats (up to VW - 1 more are touched).
SHARED void activate(Activation activation, float *values, usize count);
// gradient *= activation'(values), where values are what the activation gave.
SHARED void activate_backward(Activation activation, const float *values, float *gradient, usize count);
// The same over the images of a plane, inside their frames only.
SHARED void activate_plane(Activation activation, const Tensor *tensor, int count);
SHARED void activate_plane_backward(Activation activation, const Tensor *tensor, int count);
// Zeroes the images of a plane, frames included.
SHARED void plane_clear(const Plane *plane, int count);
