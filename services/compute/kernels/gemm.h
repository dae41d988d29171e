// C = bias or C or 0, plus A·B, for matrices of any size with any strides.
#pragma once
#include "platform.h"

typedef struct {
  const float *data;
  // Floats from one row, and from one column, to the next; swapping them transposes.
  int row, col;
} Matrix;

typedef enum { GEMM_OVERWRITE, GEMM_ACCUMULATE } GemmMode;

// Floats of the workspace that `gemm` packs its operands into.
SHARED int gemm_workspace_floats(void);

// c is [m,n] with ldc floats a row. With GEMM_OVERWRITE each row starts from bias ([n], or NULL for zeros).
// Each element's sum runs over k in order, whatever m and n are: a row's result doesn't depend on its neighbours.
SHARED void gemm(float *workspace, int m, int n, int k, Matrix a, Matrix b, float *c, int ldc, const float *bias,
                 GemmMode mode);
