// All kernels for one instruction set, compiled with -DTABLE=<its table's name>, -DVW=<floats per vector> and the
// compiler's flags for it. One translation unit, because a second set of the same names can't be linked beside it.
#include "../augment.c"
#include "../classifier.c"
#include "../conv-pool.c"
#include "../conv.c"
#include "../cvae.c"
#include "../dense.c"
#include "../direct.c"
#include "../elementwise.c"
#include "../gemm.c"
#include "../graph.c"
#include "../norm.c"
#include "../optimiser.c"
#include "../parameters.c"
#include "../pool.c"
#include "table.h"

#define P(i) ((void *)(base + (usize)arguments[i]))
#define I(i) ((int)arguments[i])
#define D(i) (arguments[i])

#define POINTER(name, count, ...)                                                                                    \
  static double call_##name(u8 *base, const double *arguments) { return (double)((u8 *)name(__VA_ARGS__) - base); }
#define NUMBER(name, count, ...)                                                                                     \
  static double call_##name(u8 *base, const double *arguments) { return name(__VA_ARGS__); }
#define NOTHING(name, count, ...)                                                                                    \
  static double call_##name(u8 *base, const double *arguments) {                                                     \
    name(__VA_ARGS__);                                                                                               \
    return 0;                                                                                                        \
  }
KERNELS(POINTER, NUMBER, NOTHING)

#define ENTRY(name, count, ...) {count, call_##name},
const Kernel TABLE[] = {KERNELS(ENTRY, ENTRY, ENTRY)};
