// A classifier with its loss and optimiser: the functions that the host calls.
#include "optimiser.h"
#include "vmath.h"

typedef struct {
  Graph graph;
  Optimiser optimiser;
  Tensor *in, *out;
  int classes;
  float balance, temperature;
  // KL becomes a cross-entropy.
  int with_entropy;
  // Filled by the host: [batch,H,W,C] and [batch,K] for a step, bytes [batch,H,W,C] for a prediction.
  float *images, *targets;
  u8 *bytes;
  float *probabilities;
  // [K] each
  float *soft_target, *log_soft_target, *soft_answer, *answer;
} Classifier;

// The graph's tensor 0 is the image.
EXPORT(classifier_new) Classifier *classifier_new(int batch, int height, int width, int channels) {
  Classifier *c = arena_alloc(sizeof(Classifier));
  graph_begin(&c->graph, batch);
  graph_input(&c->graph, height, width, channels, 0);
  return c;
}

EXPORT(classifier_graph) Graph *classifier_graph(Classifier *c) { return &c->graph; }

// Allocates. The last layer gives [batch,K] logits.
EXPORT(classifier_finish)
void classifier_finish(Classifier *c, double balance, double temperature, int with_entropy, double average_decay) {
  Graph *graph = &c->graph;
  optimiser_allocate(&c->optimiser, graph_parameter_count(graph), graph_statistic_count(graph), average_decay);
  graph_finish(graph, &c->optimiser.parameters, 0, 0, alloc_floats(gemm_workspace_floats()));
  c->in = &graph->tensors[0];
  c->out = graph_output(graph);
  c->balance = balance;
  c->temperature = temperature;
  c->with_entropy = with_entropy;
  int pixels = tensor_features(c->in);
  c->classes = tensor_features(c->out);
  c->images = alloc_floats((usize)graph->batch * pixels);
  c->targets = alloc_floats((usize)graph->batch * c->classes);
  c->probabilities = alloc_floats((usize)graph->batch * c->classes);
  c->bytes = arena_alloc((usize)graph->batch * pixels);
  c->soft_target = alloc_floats(c->classes);
  c->log_soft_target = alloc_floats(c->classes);
  c->soft_answer = alloc_floats(c->classes);
  c->answer = alloc_floats(c->classes);
}

EXPORT(classifier_images) float *classifier_images(Classifier *c) { return c->images; }
EXPORT(classifier_targets) float *classifier_targets(Classifier *c) { return c->targets; }
EXPORT(classifier_bytes) u8 *classifier_bytes(Classifier *c) { return c->bytes; }
EXPORT(classifier_probabilities) float *classifier_probabilities(Classifier *c) { return c->probabilities; }
EXPORT(classifier_optimiser) Optimiser *classifier_optimiser(Classifier *c) { return &c->optimiser; }
EXPORT(classifier_seek) void classifier_seek(Classifier *c, int steps) {
  optimiser_seek(&c->optimiser, steps);
  c->graph.step = steps;
}

// out = softmax(logits / temperature); returns log Σ exp(logits/temperature − maximum) + maximum
static float softmax(const float *logits, int classes, float temperature, float *out) {
  float maximum = logits[0] / temperature, sum = 0;
  for (int j = 1; j < classes; j++) maximum = logits[j] / temperature > maximum ? logits[j] / temperature : maximum;
  for (int j = 0; j < classes; j++) sum += out[j] = s_exp(logits[j] / temperature - maximum);
  for (int j = 0; j < classes; j++) out[j] /= sum;
  return s_log(sum) + maximum;
}

// p^(1/temperature), normalised, and its logarithm. At 1 that is p itself.
static void soften(const Classifier *c, const float *target) {
  int classes = c->classes;
  for (int j = 0; j < classes; j++) c->log_soft_target[j] = s_log(target[j]);
  if (c->temperature == 1) {
    for (int j = 0; j < classes; j++) c->soft_target[j] = target[j];
    return;
  }
  // A probability of zero stays zero: its logarithm stands for the least float only.
  float sum = 0, maximum = c->log_soft_target[0];
  for (int j = 1; j < classes; j++) maximum = c->log_soft_target[j] > maximum ? c->log_soft_target[j] : maximum;
  for (int j = 0; j < classes; j++) {
    float scaled = (c->log_soft_target[j] - maximum) / c->temperature;
    c->log_soft_target[j] = scaled;
    sum += c->soft_target[j] = target[j] > 0 ? s_exp(scaled) : 0;
  }
  float log_sum = s_log(sum);
  for (int j = 0; j < classes; j++) {
    c->soft_target[j] /= sum;
    c->log_soft_target[j] -= log_sum;
  }
}

// Mean over the images of balance·CE(hard) + (1 − balance)·T²·KL(soft at T), with its gradient by the logits.
// An image whose targets are all zero counts nothing.
static double distillation_loss(Classifier *c, int count) {
  const Plane *value = &c->out->value, *gradient = &c->out->gradient;
  int classes = c->classes;
  float balance = c->balance, rest = 1 - balance, t = c->temperature;
  double total = 0;
  for (int i = 0; i < count; i++) {
    const float *logits = value->data + (usize)i * classes, *target = c->targets + (usize)i * classes;
    float *d = gradient->data + (usize)i * classes;
    float mass = 0;
    int hard = 0;
    for (int j = 0; j < classes; j++) {
      mass += target[j];
      hard = target[j] > target[hard] ? j : hard;
      d[j] = 0;
    }
    if (mass == 0) continue;
    if (rest != 0) {
      soften(c, target);
      float log_sum = softmax(logits, classes, t, c->soft_answer);
      double divergence = 0;
      for (int j = 0; j < classes; j++) {
        float entropy = c->with_entropy ? 0 : c->log_soft_target[j];
        if (target[j] > 0) divergence += c->soft_target[j] * (entropy - (logits[j] / t - log_sum));
        d[j] += rest * t * (c->soft_answer[j] - c->soft_target[j]) / count;
      }
      // NaN or Inf in any logit must show even where its target is zero.
      total += rest * t * t * divergence + (log_sum - log_sum);
    }
    if (balance != 0) {
      float log_sum = softmax(logits, classes, 1, c->answer);
      total += balance * (log_sum - logits[hard]);
      for (int j = 0; j < classes; j++) d[j] += balance * (c->answer[j] - (j == hard)) / count;
    }
  }
  return total / count;
}

// Copies [count,H,W,C] into the framed input.
static void place_images(Classifier *c, int count) {
  const Tensor *in = c->in;
  int line = in->width * in->channels;
  const float *source = c->images;
  for (int n = 0; n < count; n++)
    for (int y = 0; y < in->height; y++, source += line) {
      float *target = plane_row(&in->value, in->channels, n, y);
      for (int i = 0; i < line; i++) target[i] = source[i];
    }
}

// Forward and backward of the first `count` images, of which the first is image `first_image` of the whole batch.
// Returns their mean loss, NaN where a gradient isn't finite; changes neither weights nor moving statistics.
EXPORT(classifier_backward) double classifier_backward(Classifier *c, int count, int first_image) {
  c->graph.first_image = first_image;
  place_images(c, count);
  graph_forward(&c->graph, count, MODE_TRAIN);
  double loss = distillation_loss(c, count) + graph_penalty(&c->graph);
  if (!is_finite(loss)) return loss;
  graph_backward(&c->graph, count);
  return optimiser_has_finite_gradients(&c->optimiser) ? loss : __builtin_nan("");
}

// The optimiser's step with the gradients that are there.
EXPORT(classifier_apply) void classifier_apply(Classifier *c, double rate) {
  graph_move_statistics(&c->graph);
  optimiser_step(&c->optimiser, rate);
  c->graph.step++;
}

// One optimiser step on the first `count` images. Returns the mean loss before it; where that isn't finite nothing
// is changed.
EXPORT(classifier_step) double classifier_step(Classifier *c, int count, double rate) {
  double loss = classifier_backward(c, count, 0);
  if (is_finite(loss)) classifier_apply(c, rate);
  return loss;
}

// Bytes → probabilities for the first `count` images.
EXPORT(classifier_predict) void classifier_predict(Classifier *c, int count) {
  const Tensor *in = c->in;
  int line = in->width * in->channels;
  const u8 *source = c->bytes;
  for (int n = 0; n < count; n++)
    for (int y = 0; y < in->height; y++, source += line) {
      float *target = plane_row(&in->value, in->channels, n, y);
      for (int i = 0; i < line; i++) target[i] = source[i] / 255.0f;
    }
  graph_forward(&c->graph, count, MODE_PREDICT);
  for (int n = 0; n < count; n++)
    softmax(c->out->value.data + (usize)n * c->classes, c->classes, 1, c->probabilities + (usize)n * c->classes);
}
