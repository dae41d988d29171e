// How the addon calls the kernels of one instruction set: by their place in KERNELS, with the host's numbers.
#pragma once
#include "../platform.h"

typedef struct {
  int argument_count;
  // Pointers go in and out as offsets from `base`.
  double (*call)(u8 *base, const double *arguments);
} Kernel;

// The functions that the host calls: kind of result, name, number of arguments and each argument as a Pointer,
// an Int or a Double.
#define KERNELS(POINTER, NUMBER, NOTHING)                                                                            \
  POINTER(augmenter_new, 5, I(0), I(1), I(2), I(3), P(4))                                                            \
  POINTER(augmenter_first, 1, P(0))                                                                                  \
  POINTER(augmenter_second, 1, P(0))                                                                                 \
  POINTER(augmenter_draws, 1, P(0))                                                                                  \
  NOTHING(augmenter_fill, 4, P(0), I(1), I(2), I(3))                                                                 \
  POINTER(classifier_new, 4, I(0), I(1), I(2), I(3))                                                                 \
  POINTER(classifier_graph, 1, P(0))                                                                                 \
  NOTHING(classifier_finish, 5, P(0), D(1), D(2), I(3), D(4))                                                        \
  POINTER(classifier_images, 1, P(0))                                                                                \
  POINTER(classifier_targets, 1, P(0))                                                                               \
  POINTER(classifier_bytes, 1, P(0))                                                                                 \
  POINTER(classifier_probabilities, 1, P(0))                                                                         \
  POINTER(classifier_optimiser, 1, P(0))                                                                             \
  NOTHING(classifier_seek, 2, P(0), I(1))                                                                            \
  NUMBER(classifier_step, 3, P(0), I(1), D(2))                                                                       \
  NUMBER(classifier_backward, 3, P(0), I(1), I(2))                                                                   \
  NOTHING(classifier_apply, 2, P(0), D(1))                                                                           \
  NOTHING(classifier_predict, 2, P(0), I(1))                                                                         \
  NUMBER(graph_add_conv, 11, P(0), I(1), I(2), I(3), I(4), I(5), I(6), I(7), I(8), I(9), D(10))                      \
  NUMBER(graph_add_conv_transpose, 11, P(0), I(1), I(2), I(3), I(4), I(5), I(6), I(7), I(8), I(9), D(10))            \
  NUMBER(graph_add_pool, 8, P(0), I(1), I(2), I(3), I(4), I(5), I(6), I(7))                                          \
  NUMBER(graph_add_global_average, 2, P(0), I(1))                                                                    \
  NUMBER(graph_add_dense, 6, P(0), I(1), I(2), I(3), I(4), D(5))                                                     \
  NUMBER(graph_add_batch_norm, 4, P(0), I(1), D(2), D(3))                                                            \
  NUMBER(graph_add_dropout, 4, P(0), I(1), D(2), D(3))                                                               \
  NUMBER(graph_add_activation, 3, P(0), I(1), I(2))                                                                  \
  NUMBER(graph_add_sum, 3, P(0), I(1), I(2))                                                                         \
  NUMBER(graph_add_concat, 3, P(0), I(1), I(2))                                                                      \
  NUMBER(graph_add_reshape, 5, P(0), I(1), I(2), I(3), I(4))                                                         \
  NUMBER(graph_first_nonfinite, 2, P(0), I(1))                                                                       \
  POINTER(cvae_new, 6, I(0), I(1), I(2), I(3), I(4), I(5))                                                           \
  POINTER(cvae_encoder, 1, P(0))                                                                                     \
  POINTER(cvae_decoder, 1, P(0))                                                                                     \
  NOTHING(cvae_finish, 1, P(0))                                                                                      \
  POINTER(cvae_images, 1, P(0))                                                                                      \
  POINTER(cvae_conditions, 1, P(0))                                                                                  \
  POINTER(cvae_noise, 1, P(0))                                                                                       \
  POINTER(cvae_latents, 1, P(0))                                                                                     \
  POINTER(cvae_decoded, 1, P(0))                                                                                     \
  POINTER(cvae_optimiser, 1, P(0))                                                                                   \
  NOTHING(cvae_seek, 2, P(0), I(1))                                                                                  \
  NUMBER(cvae_step, 3, P(0), I(1), D(2))                                                                             \
  NUMBER(cvae_backward, 2, P(0), I(1))                                                                               \
  NOTHING(cvae_decode, 2, P(0), I(1))                                                                                \
  NOTHING(optimiser_use_adam, 5, P(0), D(1), D(2), D(3), D(4))                                                       \
  NOTHING(optimiser_use_sgd, 4, P(0), D(1), I(2), D(3))                                                              \
  NOTHING(optimiser_share, 5, P(0), I(1), I(2), I(3), I(4))                                                          \
  POINTER(optimiser_part, 2, P(0), I(1))                                                                             \
  NOTHING(optimiser_weigh_part, 3, P(0), I(1), D(2))                                                                 \
  POINTER(optimiser_values, 1, P(0))                                                                                 \
  POINTER(optimiser_gradients, 1, P(0))                                                                              \
  POINTER(optimiser_first_moments, 1, P(0))                                                                          \
  POINTER(optimiser_second_moments, 1, P(0))                                                                         \
  POINTER(optimiser_averages, 1, P(0))                                                                               \
  POINTER(optimiser_statistics, 1, P(0))

#define MAX_ARGUMENTS 11

extern const Kernel kernels_portable[];
extern const Kernel kernels_avx2[];
extern const Kernel kernels_avx512[];
