#include "graph.h"
#include "vmath.h"

void graph_begin(Graph *graph, int batch) {
  graph->batch = batch;
  graph->layer_count = graph->tensor_count = 0;
}

static int add_tensor(Graph *graph, int height, int width, int channels) {
  if (graph->tensor_count == MAX_LAYERS + MAX_INPUTS) REFUSE();
  Tensor *tensor = &graph->tensors[graph->tensor_count];
  *tensor = (Tensor){.height = height, .width = width, .channels = channels, .root = tensor};
  return graph->tensor_count++;
}

int graph_input(Graph *graph, int height, int width, int channels, int wants_gradient) {
  int number = add_tensor(graph, height, width, channels);
  graph->tensors[number].wants_gradient = wants_gradient;
  return number;
}

static Layer *add(Graph *graph, LayerKind kind, int input, int height, int width, int channels) {
  if (graph->layer_count == MAX_LAYERS) REFUSE();
  Layer *layer = &graph->layers[graph->layer_count++];
  Tensor *out = &graph->tensors[add_tensor(graph, height, width, channels)];
  *layer = (Layer){.kind = kind, .in = &graph->tensors[input], .out = out};
  return layer;
}

static int number_of(const Graph *graph, const Layer *layer) { return (int)(layer->out - graph->tensors); }

INLINE int divide_up(int a, int b) { return (a + b - 1) / b; }
INLINE int max_int(int a, int b) { return a > b ? a : b; }

// Keras puts the odd zero behind.
static int pad_before(int same, int size, int kernel, int stride) {
  if (!same) return 0;
  return max_int((divide_up(size, stride) - 1) * stride + kernel - size, 0) / 2;
}

static Windows windows_of(int height, int width, int kernel_height, int kernel_width, int stride_y, int stride_x,
                          int same) {
  return (Windows){kernel_height,
                   kernel_width,
                   stride_y,
                   stride_x,
                   pad_before(same, height, kernel_height, stride_y),
                   pad_before(same, width, kernel_width, stride_x)};
}

static int window_count(int same, int size, int kernel, int stride) {
  return same ? divide_up(size, stride) : (size - kernel) / stride + 1;
}

EXPORT(graph_add_conv)
int graph_add_conv(Graph *graph, int input, int filters, int kernel_height, int kernel_width, int stride_y,
                   int stride_x, int same, int has_bias, int activation, double l2) {
  const Tensor *in = &graph->tensors[input];
  Layer *layer = add(graph, LAYER_CONV, input, window_count(same, in->height, kernel_height, stride_y),
                     window_count(same, in->width, kernel_width, stride_x), filters);
  layer->windows = windows_of(in->height, in->width, kernel_height, kernel_width, stride_y, stride_x, same);
  layer->activation = (Activation)activation;
  layer->weight_count = kernel_height * kernel_width * in->channels * filters;
  layer->bias_count = has_bias ? filters : 0;
  layer->l2 = (float)l2;
  return number_of(graph, layer);
}

EXPORT(graph_add_conv_transpose)
int graph_add_conv_transpose(Graph *graph, int input, int filters, int kernel_height, int kernel_width, int stride_y,
                             int stride_x, int same, int has_bias, int activation, double l2) {
  const Tensor *in = &graph->tensors[input];
  int height = in->height * stride_y + (same ? 0 : max_int(kernel_height - stride_y, 0));
  int width = in->width * stride_x + (same ? 0 : max_int(kernel_width - stride_x, 0));
  Layer *layer = add(graph, LAYER_CONV_TRANSPOSE, input, height, width, filters);
  layer->windows = windows_of(height, width, kernel_height, kernel_width, stride_y, stride_x, same);
  layer->activation = (Activation)activation;
  layer->weight_count = kernel_height * kernel_width * in->channels * filters;
  layer->bias_count = has_bias ? filters : 0;
  layer->l2 = (float)l2;
  return number_of(graph, layer);
}

EXPORT(graph_add_pool)
int graph_add_pool(Graph *graph, int input, int averages, int pool_height, int pool_width, int stride_y, int stride_x,
                   int same) {
  const Tensor *in = &graph->tensors[input];
  Layer *layer = add(graph, averages ? LAYER_AVERAGE_POOL : LAYER_MAX_POOL, input,
                     window_count(same, in->height, pool_height, stride_y),
                     window_count(same, in->width, pool_width, stride_x), in->channels);
  layer->windows = windows_of(in->height, in->width, pool_height, pool_width, stride_y, stride_x, same);
  return number_of(graph, layer);
}

EXPORT(graph_add_global_average) int graph_add_global_average(Graph *graph, int input) {
  return number_of(graph, add(graph, LAYER_GLOBAL_AVERAGE, input, 1, 1, graph->tensors[input].channels));
}

EXPORT(graph_add_dense)
int graph_add_dense(Graph *graph, int input, int units, int has_bias, int activation, double l2) {
  Layer *layer = add(graph, LAYER_DENSE, input, 1, 1, units);
  layer->activation = (Activation)activation;
  layer->weight_count = tensor_features(layer->in) * units;
  layer->bias_count = has_bias ? units : 0;
  layer->l2 = (float)l2;
  return number_of(graph, layer);
}

static Layer *add_alike(Graph *graph, LayerKind kind, int input) {
  const Tensor *in = &graph->tensors[input];
  return add(graph, kind, input, in->height, in->width, in->channels);
}

EXPORT(graph_add_batch_norm) int graph_add_batch_norm(Graph *graph, int input, double momentum, double epsilon) {
  Layer *layer = add_alike(graph, LAYER_BATCH_NORM, input);
  layer->weight_count = layer->bias_count = layer->in->channels;
  layer->statistic_count = 2 * layer->in->channels;
  layer->momentum = (float)momentum;
  layer->epsilon = (float)epsilon;
  return number_of(graph, layer);
}

// The seed goes in as a number of 32 bits, which an int doesn't hold.
EXPORT(graph_add_dropout) int graph_add_dropout(Graph *graph, int input, double rate, double seed) {
  Layer *layer = add_alike(graph, LAYER_DROPOUT, input);
  layer->rate = rate;
  layer->seed = (unsigned)(long long)seed;
  return number_of(graph, layer);
}

EXPORT(graph_add_activation) int graph_add_activation(Graph *graph, int input, int activation) {
  Layer *layer = add_alike(graph, LAYER_ACTIVATION, input);
  layer->activation = (Activation)activation;
  return number_of(graph, layer);
}

EXPORT(graph_add_sum) int graph_add_sum(Graph *graph, int input, int second) {
  Layer *layer = add_alike(graph, LAYER_ADD, input);
  layer->second = &graph->tensors[second];
  return number_of(graph, layer);
}

EXPORT(graph_add_concat) int graph_add_concat(Graph *graph, int input, int second) {
  const Tensor *in = &graph->tensors[input], *other = &graph->tensors[second];
  Layer *layer = add(graph, LAYER_CONCAT, input, in->height, in->width, in->channels + other->channels);
  layer->second = &graph->tensors[second];
  return number_of(graph, layer);
}

EXPORT(graph_add_reshape) int graph_add_reshape(Graph *graph, int input, int height, int width, int channels) {
  return number_of(graph, add(graph, LAYER_RESHAPE, input, height, width, channels));
}

int graph_parameter_count(const Graph *graph) {
  int count = 0;
  for (int l = 0; l < graph->layer_count; l++) count += graph->layers[l].weight_count + graph->layers[l].bias_count;
  return count;
}

int graph_statistic_count(const Graph *graph) {
  int count = 0;
  for (int l = 0; l < graph->layer_count; l++) count += graph->layers[l].statistic_count;
  return count;
}

static Layer *producer_of(Graph *graph, const Tensor *tensor) {
  for (int l = 0; l < graph->layer_count; l++)
    if (graph->layers[l].out == tensor && graph->layers[l].kind != LAYER_NONE) return &graph->layers[l];
  return 0;
}

// A 2×2 pool of a ReLU convolution that nobody else reads becomes one layer with it; an activation of what nobody else
// reads is done in place by the layer that makes it.
static void fuse(Graph *graph) {
  for (int l = 0; l < graph->layer_count; l++) {
    graph->layers[l].in->readers++;
    if (graph->layers[l].second) graph->layers[l].second->readers++;
  }
  for (int l = 0; l < graph->layer_count; l++) {
    Layer *layer = &graph->layers[l];
    Layer *before = layer->in->readers == 1 ? producer_of(graph, layer->in) : 0;
    if (!before) continue;
    const Windows *w = &layer->windows, *b = &before->windows;
    if (layer->kind == LAYER_MAX_POOL && before->kind == LAYER_CONV && before->activation == ACTIVATION_RELU &&
        w->kernel_height == 2 && w->kernel_width == 2 && w->stride_y == 2 && w->stride_x == 2 &&
        layer->out->height == layer->in->height / 2 && layer->out->width == layer->in->width / 2 &&
        b->kernel_height == b->kernel_width && b->stride_y == 1 && b->stride_x == 1) {
      before->kind = LAYER_CONV_RELU_POOL;
      before->out = layer->out;
      layer->kind = LAYER_NONE;
    }
    if (layer->kind == LAYER_ACTIVATION && layer->activation != ACTIVATION_SOFTMAX &&
        before->activation == ACTIVATION_LINEAR &&
        (before->kind == LAYER_BATCH_NORM || before->kind == LAYER_ADD || before->kind == LAYER_CONV ||
         before->kind == LAYER_CONV_TRANSPOSE || before->kind == LAYER_DENSE)) {
      before->activation = layer->activation;
      before->out = layer->out;
      layer->kind = LAYER_NONE;
    }
  }
}

static int is_framed(const Tensor *tensor) {
  const Frame *v = &tensor->value.frame, *g = &tensor->gradient.frame;
  return v->top | v->bottom | v->left | v->right | g->top | g->bottom | g->left | g->right;
}

static void allocate_plane(Plane *plane, const Tensor *tensor, int batch) {
  plane->row = (tensor->width + plane->frame.left + plane->frame.right) * tensor->channels;
  plane->image = (tensor->height + plane->frame.top + plane->frame.bottom) * plane->row;
  plane->data = alloc_floats((usize)batch * plane->image);
}

// The same numbers in another shape; neither has a frame. The root comes before in order.
static void share_planes(Tensor *tensor) {
  const Tensor *root = tensor->root;
  int row = tensor->width * tensor->channels, image = tensor->height * row;
  tensor->value = (Plane){.data = root->value.data, .row = row, .image = image};
  tensor->gradient = (Plane){.data = root->gradient.data, .row = row, .image = image};
}

// Later layers first, as backward goes: the first to write a gradient overwrites it.
static void order_gradients(Graph *graph) {
  for (int l = graph->layer_count - 1; l >= 0; l--) {
    Layer *layer = &graph->layers[l];
    if (layer->kind == LAYER_NONE) continue;
    // Counted anew: the readers whose gradient is there by then.
    layer->adds_to_in = layer->in->root->readers++ > 0;
    if (layer->second) layer->adds_to_second = layer->second->root->readers++ > 0;
  }
}

void graph_finish(Graph *graph, Parameters *parameters, int at, int statistics_at, float *workspace) {
  graph->workspace = workspace;
  fuse(graph);
  for (int l = 0; l < graph->layer_count; l++) {
    Layer *layer = &graph->layers[l];
    if (layer->kind == LAYER_NONE) continue;
    layer->out->wants_gradient |= layer->weight_count > 0 || layer->in->wants_gradient ||
                                  (layer->second && layer->second->wants_gradient);
    if (layer->kind == LAYER_CONV || layer->kind == LAYER_CONV_RELU_POOL) conv_reserve_frames(layer);
    if (layer->kind == LAYER_CONV_TRANSPOSE) conv_transpose_reserve_frames(layer);
  }
  for (int l = 0; l < graph->layer_count; l++) {
    Layer *layer = &graph->layers[l];
    if (layer->kind != LAYER_RESHAPE || is_framed(layer->in->root) || is_framed(layer->out)) continue;
    // NHWC in memory is the flat vector already.
    layer->out->root = layer->in->root;
    layer->kind = LAYER_NONE;
  }
  for (int t = 0; t < graph->tensor_count; t++) graph->tensors[t].readers = 0;
  order_gradients(graph);
  for (int t = 0; t < graph->tensor_count; t++) {
    Tensor *tensor = &graph->tensors[t];
    if (tensor->root != tensor) {
      share_planes(tensor);
      continue;
    }
    if (t < graph->tensor_count - 1 && tensor->readers == 0 && !producer_of(graph, tensor)) continue;
    if (tensor->has_dirty_frame) {
      // What goes by offsets into the one goes by the same into the other.
      Frame *v = &tensor->value.frame, *g = &tensor->gradient.frame;
      *v = *g = (Frame){max_int(v->top, g->top), max_int(v->bottom, g->bottom), max_int(v->left, g->left),
                        max_int(v->right, g->right)};
    }
    allocate_plane(&tensor->value, tensor, graph->batch);
    if (tensor->wants_gradient) allocate_plane(&tensor->gradient, tensor, graph->batch);
  }
  for (int l = 0; l < graph->layer_count; l++) {
    Layer *layer = &graph->layers[l];
    layer->weights = parameters->values + at;
    layer->weight_gradient = parameters->gradients + at;
    at += layer->weight_count;
    layer->bias = parameters->values + at;
    layer->bias_gradient = parameters->gradients + at;
    at += layer->bias_count;
    layer->moving_mean = parameters->statistics + statistics_at;
    layer->moving_variance = layer->moving_mean + layer->statistic_count / 2;
    statistics_at += layer->statistic_count;
    switch (layer->kind) {
      case LAYER_CONV: conv_finish(layer); break;
      case LAYER_CONV_TRANSPOSE: conv_transpose_finish(layer); break;
      case LAYER_CONV_RELU_POOL: conv_pool_finish(layer, graph->batch); break;
      case LAYER_MAX_POOL: pool_finish(layer, graph->batch); break;
      case LAYER_BATCH_NORM: norm_finish(layer); break;
      default: break;
    }
  }
}

void graph_forward(Graph *graph, int count, Mode mode) {
  for (int l = 0; l < graph->layer_count; l++) {
    Layer *layer = &graph->layers[l];
    switch (layer->kind) {
      case LAYER_NONE: break;
      case LAYER_CONV: conv_forward(layer, count); break;
      case LAYER_CONV_RELU_POOL: conv_pool_forward(layer, count); break;
      case LAYER_CONV_TRANSPOSE: conv_transpose_forward(layer, count); break;
      case LAYER_MAX_POOL: max_pool_forward(layer, count); break;
      case LAYER_AVERAGE_POOL: average_pool_forward(layer, count); break;
      case LAYER_GLOBAL_AVERAGE: global_average_forward(layer, count); break;
      case LAYER_DENSE: dense_forward(layer, count, graph->workspace); break;
      case LAYER_BATCH_NORM: norm_forward(layer, count, mode); break;
      case LAYER_DROPOUT: dropout_forward(graph, layer, count, mode); break;
      case LAYER_ACTIVATION: activation_forward(layer, count); break;
      case LAYER_ADD: add_forward(layer, count); break;
      case LAYER_CONCAT: concat_forward(layer, count); break;
      case LAYER_RESHAPE: reshape_forward(layer, count); break;
    }
  }
}

void graph_backward(Graph *graph, int count) {
  for (int l = graph->layer_count - 1; l >= 0; l--) {
    Layer *layer = &graph->layers[l];
    if (!layer->out->wants_gradient) continue;
    switch (layer->kind) {
      case LAYER_NONE: break;
      case LAYER_CONV: conv_backward(layer, count); break;
      case LAYER_CONV_RELU_POOL: conv_pool_backward(layer, count); break;
      case LAYER_CONV_TRANSPOSE: conv_transpose_backward(layer, count); break;
      case LAYER_MAX_POOL: max_pool_backward(layer, count); break;
      case LAYER_AVERAGE_POOL: average_pool_backward(layer, count); break;
      case LAYER_GLOBAL_AVERAGE: global_average_backward(layer, count); break;
      case LAYER_DENSE: dense_backward(layer, count, graph->workspace); break;
      case LAYER_BATCH_NORM: norm_backward(layer, count); break;
      case LAYER_DROPOUT: dropout_backward(graph, layer, count); break;
      case LAYER_ACTIVATION: activation_backward(layer, count); break;
      case LAYER_ADD: add_backward(layer, count); break;
      case LAYER_CONCAT: concat_backward(layer, count); break;
      case LAYER_RESHAPE: reshape_backward(layer, count); break;
    }
    if (layer->l2 > 0)
      for (int i = 0; i < layer->weight_count; i++) layer->weight_gradient[i] += 2 * layer->l2 * layer->weights[i];
  }
}

double graph_penalty(const Graph *graph) {
  double penalty = 0;
  for (int l = 0; l < graph->layer_count; l++) {
    const Layer *layer = &graph->layers[l];
    if (layer->l2 == 0) continue;
    double sum = 0;
    for (int i = 0; i < layer->weight_count; i++) sum += (double)layer->weights[i] * layer->weights[i];
    penalty += layer->l2 * sum;
  }
  return penalty;
}

void graph_move_statistics(Graph *graph) {
  // Young averages forget faster: in a short training the initial values would weigh more than what was seen.
  double young = (1.0 + graph->step) / (10.0 + graph->step);
  for (int l = 0; l < graph->layer_count; l++) {
    Layer *layer = &graph->layers[l];
    if (layer->kind != LAYER_BATCH_NORM) continue;
    float kept = young < layer->momentum ? young : layer->momentum, rest = 1 - kept;
    for (int c = 0; c < layer->out->channels; c++) {
      layer->moving_mean[c] = kept * layer->moving_mean[c] + rest * layer->mean[c];
      layer->moving_variance[c] = kept * layer->moving_variance[c] + rest * layer->variance[c];
    }
  }
}

static int is_finite_plane(const Tensor *tensor, int count) {
  float sum = 0;
  for (int n = 0; n < count; n++)
    for (int y = 0; y < tensor->height; y++) {
      const float *row = plane_row(&tensor->value, tensor->channels, n, y);
      for (int i = 0; i < tensor->width * tensor->channels; i++) sum += row[i] * 0;
    }
  return is_finite(sum);
}

// The first tensor in order, inputs included, that holds what isn't a finite number; −1 for none.
EXPORT(graph_first_nonfinite) int graph_first_nonfinite(Graph *graph, int count) {
  for (int t = 0; t < graph->tensor_count; t++)
    if (graph->tensors[t].value.data && !is_finite_plane(&graph->tensors[t], count)) return t;
  return -1;
}

void plane_clear(const Plane *plane, int count) {
  for (usize i = 0; i < (usize)count * plane->image; i += VW) store(plane->data + i, splat(0));
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

// Past a row's end lies a frame or the next row, which an activation must not reach: the left-over floats go alone.
void activate_plane(Activation activation, const Tensor *tensor, int count) {
  if (activation == ACTIVATION_LINEAR) return;
  int line = tensor->width * tensor->channels, whole = line / VW * VW;
  float rest[VW];
  for (int n = 0; n < count; n++)
    for (int y = 0; y < tensor->height; y++) {
      float *row = plane_row(&tensor->value, tensor->channels, n, y);
      activate(activation, row, whole);
      if (whole == line) continue;
      for (int i = whole; i < line; i++) rest[i - whole] = row[i];
      for (int i = line - whole; i < VW; i++) rest[i] = 0;
      activate(activation, rest, VW);
      for (int i = whole; i < line; i++) row[i] = rest[i - whole];
    }
}

void activate_plane_backward(Activation activation, const Tensor *tensor, int count) {
  if (activation == ACTIVATION_LINEAR) return;
  int line = tensor->width * tensor->channels, whole = line / VW * VW;
  for (int n = 0; n < count; n++)
    for (int y = 0; y < tensor->height; y++) {
      const float *value = plane_row(&tensor->value, tensor->channels, n, y);
      float *gradient = plane_row(&tensor->gradient, tensor->channels, n, y);
      activate_backward(activation, value, gradient, whole);
      for (int i = whole; i < line; i++)
        gradient[i] = activation == ACTIVATION_RELU ? (value[i] > 0 ? gradient[i] : 0)
                                                    : gradient[i] * value[i] * (1 - value[i]);
    }
}
