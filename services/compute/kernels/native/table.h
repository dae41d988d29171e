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
  POINTER(classifier_new, 4, I(0), I(1), I(2), I(3))                                                                 \
  NOTHING(classifier_add_conv, 5, P(0), I(1), I(2), I(3), I(4))                                                      \
  NOTHING(classifier_add_pool, 2, P(0), I(1))                                                                        \
  NOTHING(classifier_add_dense, 3, P(0), I(1), I(2))                                                                 \
  NOTHING(classifier_finish, 7, P(0), D(1), D(2), D(3), D(4), D(5), D(6))                                            \
  POINTER(classifier_images, 1, P(0))                                                                                \
  POINTER(classifier_targets, 1, P(0))                                                                               \
  POINTER(classifier_bytes, 1, P(0))                                                                                 \
  POINTER(classifier_probabilities, 1, P(0))                                                                         \
  POINTER(classifier_parameters, 1, P(0))                                                                            \
  NOTHING(classifier_seek, 2, P(0), I(1))                                                                            \
  NUMBER(classifier_step, 3, P(0), I(1), D(2))                                                                       \
  NUMBER(classifier_gradients, 2, P(0), I(1))                                                                        \
  NOTHING(classifier_apply, 2, P(0), D(1))                                                                           \
  NOTHING(classifier_predict, 2, P(0), I(1))                                                                         \
  POINTER(cvae_new, 4, I(0), I(1), I(2), I(3))                                                                       \
  NOTHING(cvae_add_encoder, 3, P(0), I(1), I(2))                                                                     \
  NOTHING(cvae_add_decoder, 3, P(0), I(1), I(2))                                                                     \
  NOTHING(cvae_finish, 5, P(0), D(1), D(2), D(3), D(4))                                                              \
  POINTER(cvae_images, 1, P(0))                                                                                      \
  POINTER(cvae_conditions, 1, P(0))                                                                                  \
  POINTER(cvae_noise, 1, P(0))                                                                                       \
  POINTER(cvae_decoder_input, 1, P(0))                                                                               \
  POINTER(cvae_decoded, 1, P(0))                                                                                     \
  POINTER(cvae_parameters, 1, P(0))                                                                                  \
  NOTHING(cvae_seek, 2, P(0), I(1))                                                                                  \
  NUMBER(cvae_step, 3, P(0), I(1), D(2))                                                                             \
  NUMBER(cvae_gradients, 2, P(0), I(1))                                                                              \
  NOTHING(cvae_decode, 2, P(0), I(1))                                                                                \
  POINTER(parameters_values, 1, P(0))                                                                                \
  POINTER(parameters_gradients, 1, P(0))                                                                             \
  POINTER(parameters_first_moments, 1, P(0))                                                                         \
  POINTER(parameters_second_moments, 1, P(0))

#define MAX_ARGUMENTS 7

extern const Kernel kernels_portable[];
extern const Kernel kernels_avx2[];
