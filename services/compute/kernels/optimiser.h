// Adam, AdamW and SGD over the flat vectors, and the running average of the weights.
#pragma once
#include "graph.h"

typedef enum { OPTIMISER_ADAM, OPTIMISER_SGD } OptimiserKind;

typedef struct {
  Parameters parameters;
  OptimiserKind kind;
  // Adam.
  double beta1, beta2, epsilon;
  // beta^step, multiplied up step by step: pow() has other bits on other machines.
  double beta1_power, beta2_power;
  // SGD.
  double momentum;
  int is_nesterov;
  double weight_decay;
  // Of the running average; 0 for none.
  double average_decay;
  int steps;
  // What `optimiser_step` moves: all, or this thread's slice where several threads share every batch. For that the
  // gradients of every thread's part, each [end - begin], and what they weigh in their sum.
  int begin, end;
  int threads, thread;
  float **parts;
  float *shares;
} Optimiser;

SHARED void optimiser_allocate(Optimiser *optimiser, int count, int statistic_count, double average_decay);
// values −= rate·(the kind's direction + weight_decay·values), biases included; then the average moves. Where threads
// share the batch, the slice's gradients become the weighted sum of the parts first, always in the order of the threads.
SHARED void optimiser_step(Optimiser *optimiser, double rate);
// As after `steps` steps.
SHARED void optimiser_seek(Optimiser *optimiser, int steps);
SHARED int optimiser_has_finite_gradients(const Optimiser *optimiser);
