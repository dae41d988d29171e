// A classifier with its loss and optimiser: the functions that the host calls.
#include "chain.h"
#include "optimiser.h"
#include "vmath.h"

typedef struct {
  Chain chain;
  Parameters parameters;
  Adam adam;
  int classes;
  float balance, temperature;
  // Filled by the host: [batch,H,W,C] and [batch,K] for a step, bytes [batch,H,W,C] for a prediction.
  float *images, *targets;
  u8 *bytes;
  float *probabilities;
  // [K] each
  float *soft_target, *log_soft_target, *soft_answer, *answer;
} Classifier;

EXPORT(classifier_new) Classifier *classifier_new(int batch, int height, int width, int channels) {
  Classifier *c = arena_alloc(sizeof(Classifier));
  chain_begin(&c->chain, batch, height, width, channels);
  return c;
}
EXPORT(classifier_add_conv)
void classifier_add_conv(Classifier *c, int filters, int kernel, int same, int activation) {
  chain_add_conv(&c->chain, filters, kernel, same, (Activation)activation);
}
EXPORT(classifier_add_pool) void classifier_add_pool(Classifier *c, int size) { chain_add_pool(&c->chain, size); }
EXPORT(classifier_add_dense) void classifier_add_dense(Classifier *c, int units, int activation) {
  chain_add_dense(&c->chain, units, (Activation)activation);
}

// Allocates. The last layer must be a linear dense one, its units are the classes.
EXPORT(classifier_finish)
void classifier_finish(Classifier *c, double balance, double temperature, double beta1, double beta2, double epsilon,
                       double weight_decay) {
  Chain *chain = &c->chain;
  parameters_allocate(&c->parameters, chain_parameter_count(chain));
  chain_finish(chain, &c->parameters, 0, 0, alloc_floats(gemm_workspace_floats()));
  adam_begin(&c->adam, beta1, beta2, epsilon, weight_decay);
  c->balance = balance;
  c->temperature = temperature;
  int pixels = tensor_features(chain_input(chain));
  c->classes = tensor_features(chain_output(chain));
  c->images = alloc_floats((usize)chain->batch * pixels);
  c->targets = alloc_floats((usize)chain->batch * c->classes);
  c->probabilities = alloc_floats((usize)chain->batch * c->classes);
  c->bytes = arena_alloc((usize)chain->batch * pixels);
  c->soft_target = alloc_floats(c->classes);
  c->log_soft_target = alloc_floats(c->classes);
  c->soft_answer = alloc_floats(c->classes);
  c->answer = alloc_floats(c->classes);
}

EXPORT(classifier_images) float *classifier_images(Classifier *c) { return c->images; }
EXPORT(classifier_targets) float *classifier_targets(Classifier *c) { return c->targets; }
EXPORT(classifier_bytes) u8 *classifier_bytes(Classifier *c) { return c->bytes; }
EXPORT(classifier_probabilities) float *classifier_probabilities(Classifier *c) { return c->probabilities; }
EXPORT(classifier_parameters) Parameters *classifier_parameters(Classifier *c) { return &c->parameters; }
EXPORT(classifier_seek) void classifier_seek(Classifier *c, int steps) { adam_seek(&c->adam, steps); }

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
  Tensor *out = chain_output(&c->chain);
  int classes = c->classes;
  float balance = c->balance, rest = 1 - balance, t = c->temperature;
  double total = 0;
  for (int i = 0; i < count; i++) {
    const float *logits = out->data + (usize)i * classes, *target = c->targets + (usize)i * classes;
    float *d = out->gradient + (usize)i * classes;
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
        if (target[j] > 0) divergence += c->soft_target[j] * (c->log_soft_target[j] - (logits[j] / t - log_sum));
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
  Tensor *in = chain_input(&c->chain);
  int line = in->width * in->channels;
  const float *source = c->images;
  for (int n = 0; n < count; n++)
    for (int y = 0; y < in->height; y++, source += line) {
      float *target = tensor_origin(in, in->data) + (usize)n * in->image + y * in->row;
      for (int i = 0; i < line; i++) target[i] = source[i];
    }
}

// One optimiser step on the first `count` images. Returns the mean loss before it; where that isn't finite nothing
// is changed.
EXPORT(classifier_step) double classifier_step(Classifier *c, int count, double rate) {
  place_images(c, count);
  chain_forward(&c->chain, count);
  double loss = distillation_loss(c, count);
  if (!is_finite(loss)) return loss;
  chain_backward(&c->chain, count);
  adam_step(&c->adam, &c->parameters, rate);
  return loss;
}

// The gradients of the mean loss, without a step: for tests.
EXPORT(classifier_gradients) double classifier_gradients(Classifier *c, int count) {
  place_images(c, count);
  chain_forward(&c->chain, count);
  double loss = distillation_loss(c, count);
  chain_backward(&c->chain, count);
  return loss;
}

EXPORT(classifier_apply) void classifier_apply(Classifier *c, double rate) {
  adam_step(&c->adam, &c->parameters, rate);
}

// Bytes → probabilities for the first `count` images.
EXPORT(classifier_predict) void classifier_predict(Classifier *c, int count) {
  Tensor *in = chain_input(&c->chain);
  int line = in->width * in->channels;
  const u8 *source = c->bytes;
  for (int n = 0; n < count; n++)
    for (int y = 0; y < in->height; y++, source += line) {
      float *target = tensor_origin(in, in->data) + (usize)n * in->image + y * in->row;
      for (int i = 0; i < line; i++) target[i] = source[i] / 255.0f;
    }
  chain_forward(&c->chain, count);
  for (int n = 0; n < count; n++)
    softmax(chain_output(&c->chain)->data + (usize)n * c->classes, c->classes, 1,
            c->probabilities + (usize)n * c->classes);
}
