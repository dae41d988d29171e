// Where the host finds the flat vectors.
#include "optimiser.h"

EXPORT(optimiser_values) float *optimiser_values(Optimiser *o) { return o->parameters.values; }
EXPORT(optimiser_gradients) float *optimiser_gradients(Optimiser *o) { return o->parameters.gradients; }
EXPORT(optimiser_first_moments) float *optimiser_first_moments(Optimiser *o) { return o->parameters.first_moments; }
EXPORT(optimiser_second_moments) float *optimiser_second_moments(Optimiser *o) { return o->parameters.second_moments; }
// Null unless an average was asked for.
EXPORT(optimiser_averages) float *optimiser_averages(Optimiser *o) { return o->parameters.averages; }
EXPORT(optimiser_statistics) float *optimiser_statistics(Optimiser *o) { return o->parameters.statistics; }
