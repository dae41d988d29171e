#include "optimiser.h"

void parameters_allocate(Parameters *parameters, int count) {
  *parameters = (Parameters){.count = count,
                             .values = alloc_floats(count),
                             .gradients = alloc_floats(count),
                             .first_moments = alloc_floats(count),
                             .second_moments = alloc_floats(count)};
}

void adam_begin(Adam *adam, double beta1, double beta2, double epsilon, double weight_decay) {
  *adam = (Adam){beta1, beta2, epsilon, weight_decay, 1, 1};
}

void adam_seek(Adam *adam, int steps) {
  adam->beta1_power = adam->beta2_power = 1;
  for (int i = 0; i < steps; i++) {
    adam->beta1_power *= adam->beta1;
    adam->beta2_power *= adam->beta2;
  }
}

void adam_step(Adam *adam, Parameters *parameters, double rate) {
  adam->beta1_power *= adam->beta1;
  adam->beta2_power *= adam->beta2;
  float beta1 = adam->beta1, beta2 = adam->beta2, rest1 = 1 - adam->beta1, rest2 = 1 - adam->beta2;
  float scale = rate / (1 - adam->beta1_power), correction = 1 / (1 - adam->beta2_power);
  float epsilon = adam->epsilon, decay = rate * adam->weight_decay;
  float *restrict w = parameters->values, *restrict m = parameters->first_moments;
  float *restrict v = parameters->second_moments;
  const float *restrict gradients = parameters->gradients;
  for (int i = 0; i < parameters->count; i++) {
    float g = gradients[i];
    m[i] = beta1 * m[i] + rest1 * g;
    v[i] = beta2 * v[i] + rest2 * g * g;
    w[i] -= scale * m[i] / (__builtin_sqrtf(v[i] * correction) + epsilon) + decay * w[i];
  }
}
