// Adam and AdamW over the flat vectors.
#pragma once
#include "chain.h"

typedef struct {
  double beta1, beta2, epsilon, weight_decay;
  // beta^step, multiplied up step by step: pow() has other bits on other machines.
  double beta1_power, beta2_power;
} Adam;

SHARED void parameters_allocate(Parameters *parameters, int count);
SHARED void adam_begin(Adam *adam, double beta1, double beta2, double epsilon, double weight_decay);
// As after `steps` steps.
SHARED void adam_seek(Adam *adam, int steps);
// values -= rate·(m̂ / (√v̂ + epsilon) + weight_decay·values), biases included
SHARED void adam_step(Adam *adam, Parameters *parameters, double rate);
