#include "optimiser.h"
#include "vmath.h"

void optimiser_allocate(Optimiser *optimiser, int count, int statistic_count, double average_decay) {
  optimiser->parameters = (Parameters){.count = count,
                                       .statistic_count = statistic_count,
                                       .values = alloc_floats(count),
                                       .gradients = alloc_floats(count),
                                       .first_moments = alloc_floats(count),
                                       .second_moments = alloc_floats(count),
                                       .averages = average_decay > 0 ? alloc_floats(count) : 0,
                                       .statistics = alloc_floats(statistic_count)};
  optimiser->average_decay = average_decay;
  optimiser->end = count;
}

// Of `threads` threads that share every batch this is number `thread`, which moves [begin, end). Allocates.
EXPORT(optimiser_share) void optimiser_share(Optimiser *o, int threads, int thread, int begin, int end) {
  o->begin = begin;
  o->end = end;
  o->threads = threads;
  o->thread = thread;
  o->parts = arena_alloc(threads * sizeof(float *));
  o->shares = alloc_floats(threads);
  for (int t = 0; t < threads; t++) o->parts[t] = alloc_floats(end - begin);
}

// Where the host puts what thread `thread` found for the slice of this one; its own part comes there by itself.
EXPORT(optimiser_part) float *optimiser_part(Optimiser *o, int thread) { return o->parts[thread]; }
// The images of that thread's part over those of the batch.
EXPORT(optimiser_weigh_part) void optimiser_weigh_part(Optimiser *o, int thread, double share) {
  o->shares[thread] = share;
}

static void sum_parts(Optimiser *o) {
  int count = o->end - o->begin;
  float *restrict sum = o->parameters.gradients + o->begin;
  float *restrict own = o->parts[o->thread];
  for (int i = 0; i < count; i++) own[i] = sum[i];
  const float *restrict a = o->parts[0], *restrict b = o->parts[1];
  float share_a = o->shares[0], share_b = o->shares[1];
  for (int i = 0; i < count; i++) sum[i] = share_a * a[i] + share_b * b[i];
  for (int t = 2; t < o->threads; t++) {
    const float *restrict part = o->parts[t];
    float share = o->shares[t];
    for (int i = 0; i < count; i++) sum[i] += share * part[i];
  }
}

EXPORT(optimiser_use_adam)
void optimiser_use_adam(Optimiser *o, double beta1, double beta2, double epsilon, double weight_decay) {
  o->kind = OPTIMISER_ADAM;
  o->beta1 = beta1;
  o->beta2 = beta2;
  o->epsilon = epsilon;
  o->weight_decay = weight_decay;
  optimiser_seek(o, 0);
}

EXPORT(optimiser_use_sgd)
void optimiser_use_sgd(Optimiser *o, double momentum, int is_nesterov, double weight_decay) {
  o->kind = OPTIMISER_SGD;
  o->momentum = momentum;
  o->is_nesterov = is_nesterov;
  o->weight_decay = weight_decay;
  optimiser_seek(o, 0);
}

void optimiser_seek(Optimiser *o, int steps) {
  o->steps = steps;
  o->beta1_power = o->beta2_power = 1;
  for (int i = 0; i < steps; i++) {
    o->beta1_power *= o->beta1;
    o->beta2_power *= o->beta2;
  }
}

static void adam_step(Optimiser *o, double rate) {
  const Parameters *parameters = &o->parameters;
  o->beta1_power *= o->beta1;
  o->beta2_power *= o->beta2;
  float beta1 = o->beta1, beta2 = o->beta2, rest1 = 1 - o->beta1, rest2 = 1 - o->beta2;
  float scale = rate / (1 - o->beta1_power), correction = 1 / (1 - o->beta2_power);
  float epsilon = o->epsilon, decay = rate * o->weight_decay;
  float *restrict w = parameters->values, *restrict m = parameters->first_moments;
  float *restrict v = parameters->second_moments;
  const float *restrict gradients = parameters->gradients;
  for (int i = o->begin, end = o->end; i < end; i++) {
    float g = gradients[i];
    m[i] = beta1 * m[i] + rest1 * g;
    v[i] = beta2 * v[i] + rest2 * g * g;
    w[i] -= scale * m[i] / (__builtin_sqrtf(v[i] * correction) + epsilon) + decay * w[i];
  }
}

static void sgd_step(Optimiser *o, double rate) {
  const Parameters *parameters = &o->parameters;
  float momentum = o->momentum, step = rate, decay = rate * o->weight_decay;
  float *restrict w = parameters->values, *restrict v = parameters->first_moments;
  const float *restrict gradients = parameters->gradients;
  if (o->is_nesterov)
    for (int i = o->begin, end = o->end; i < end; i++) {
      v[i] = momentum * v[i] + gradients[i];
      w[i] -= step * (gradients[i] + momentum * v[i]) + decay * w[i];
    }
  else
    for (int i = o->begin, end = o->end; i < end; i++) {
      v[i] = momentum * v[i] + gradients[i];
      w[i] -= step * v[i] + decay * w[i];
    }
}

void optimiser_step(Optimiser *o, double rate) {
  if (o->threads > 1) sum_parts(o);
  if (o->kind == OPTIMISER_ADAM) adam_step(o, rate);
  else sgd_step(o, rate);
  const Parameters *parameters = &o->parameters;
  if (parameters->averages) {
    // Young averages forget faster: the initial weights would weigh in them for long.
    double young = (1.0 + o->steps) / (10.0 + o->steps);
    float kept = young < o->average_decay ? young : o->average_decay, rest = 1 - kept;
    float *restrict a = parameters->averages;
    const float *restrict w = parameters->values;
    for (int i = o->begin, end = o->end; i < end; i++) a[i] = kept * a[i] + rest * w[i];
  }
  o->steps++;
}

int optimiser_has_finite_gradients(const Optimiser *optimiser) {
  const Parameters *parameters = &optimiser->parameters;
  vf sum = splat(0);
  int whole = parameters->count / VW * VW;
  for (int i = 0; i < whole; i += VW) sum += load(parameters->gradients + i) * splat(0);
  float total = 0;
  for (int lane = 0; lane < VW; lane++) total += sum[lane];
  for (int i = whole; i < parameters->count; i++) total += parameters->gradients[i] * 0;
  return is_finite(total);
}
