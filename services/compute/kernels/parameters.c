// Where the host finds the flat vectors.
#include "chain.h"

EXPORT(parameters_values) float *parameters_values(Parameters *p) { return p->values; }
EXPORT(parameters_gradients) float *parameters_gradients(Parameters *p) { return p->gradients; }
EXPORT(parameters_first_moments) float *parameters_first_moments(Parameters *p) { return p->first_moments; }
EXPORT(parameters_second_moments) float *parameters_second_moments(Parameters *p) { return p->second_moments; }
