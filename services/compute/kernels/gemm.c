#include "gemm.h"

// Register tile: ROWS × COLUMN_VECTORS accumulators. With 15 usable registers on x86 (V8 keeps one), 4×2 leaves room
// for the operands and the products; 4×3 and 6×2 spill and are a quarter slower.
#ifndef ROWS
#define ROWS 4
#endif
#ifndef COLUMN_VECTORS
#define COLUMN_VECTORS 2
#endif
#define COLUMNS (COLUMN_VECTORS * VW)

// A packed block of A (120 × 256 floats) stays in the second-level cache, one panel of B (256 × COLUMNS) in the first.
#define BLOCK_ROWS 120
#define BLOCK_DEPTH 256

int gemm_workspace_floats(void) { return BLOCK_ROWS * BLOCK_DEPTH + BLOCK_DEPTH * COLUMNS + ROWS * COLUMNS + SLACK; }

// A[m,k] → [m/ROWS][k][ROWS], zeros below the last row
static void pack_a(float *packed, int m, int k, Matrix a) {
  for (int i = 0; i < m; i += ROWS) {
    int rows = min_int(ROWS, m - i);
    const float *source = a.data + (usize)i * a.row;
    if (rows == ROWS) {
      for (int p = 0; p < k; p++) {
        const float *s = source + (usize)p * a.col;
        UNROLL for (int r = 0; r < ROWS; r++) packed[p * ROWS + r] = s[r * a.row];
      }
    } else {
      for (int p = 0; p < k; p++)
        for (int r = 0; r < ROWS; r++) packed[p * ROWS + r] = r < rows ? source[(usize)p * a.col + r * a.row] : 0;
    }
    packed += ROWS * k;
  }
}

// B[k,columns] → [k][COLUMNS], zeros right of the last column
static void pack_b(float *packed, int k, int columns, Matrix b) {
  if (columns == COLUMNS && b.col == 1) {
    for (int p = 0; p < k; p++) {
      const float *s = b.data + (usize)p * b.row;
      UNROLL for (int v = 0; v < COLUMN_VECTORS; v++) store(packed + p * COLUMNS + v * VW, load(s + v * VW));
    }
  } else if (columns == COLUMNS) {
    for (int p = 0; p < k; p++) {
      const float *s = b.data + (usize)p * b.row;
      UNROLL for (int j = 0; j < COLUMNS; j++) packed[p * COLUMNS + j] = s[j * b.col];
    }
  } else {
    for (int p = 0; p < k; p++)
      for (int j = 0; j < COLUMNS; j++) packed[p * COLUMNS + j] = j < columns ? b.data[(usize)p * b.row + j * b.col] : 0;
  }
}

// c[ROWS][ldc] += packed A · packed B
static inline void tile(int k, const float *restrict a, const float *restrict b, float *restrict c, int ldc) {
  vf acc[ROWS][COLUMN_VECTORS];
  UNROLL for (int r = 0; r < ROWS; r++) {
    UNROLL for (int v = 0; v < COLUMN_VECTORS; v++) acc[r][v] = load(c + r * ldc + v * VW);
  }
  for (int p = 0; p < k; p++) {
    vf bv[COLUMN_VECTORS];
    UNROLL for (int v = 0; v < COLUMN_VECTORS; v++) bv[v] = load(b + v * VW);
    UNROLL for (int r = 0; r < ROWS; r++) {
      vf av = splat(a[r]);
      UNROLL for (int v = 0; v < COLUMN_VECTORS; v++) acc[r][v] += av * bv[v];
    }
    a += ROWS;
    b += COLUMNS;
  }
  UNROLL for (int r = 0; r < ROWS; r++) {
    UNROLL for (int v = 0; v < COLUMN_VECTORS; v++) store(c + r * ldc + v * VW, acc[r][v]);
  }
}

static void edge_tile(int k, const float *a, const float *b, float *c, int ldc, int rows, int columns, float *whole) {
  for (int r = 0; r < ROWS; r++)
    for (int j = 0; j < COLUMNS; j++) whole[r * COLUMNS + j] = r < rows && j < columns ? c[r * ldc + j] : 0;
  tile(k, a, b, whole, COLUMNS);
  for (int r = 0; r < rows; r++)
    for (int j = 0; j < columns; j++) c[r * ldc + j] = whole[r * COLUMNS + j];
}

void gemm(float *workspace, int m, int n, int k, Matrix a, Matrix b, float *c, int ldc, const float *bias,
          GemmMode mode) {
  float *packed_a = workspace;
  float *packed_b = packed_a + BLOCK_ROWS * BLOCK_DEPTH;
  float *whole = packed_b + BLOCK_DEPTH * COLUMNS;
  if (mode == GEMM_OVERWRITE)
    for (int i = 0; i < m; i++)
      for (int j = 0; j < n; j++) c[(usize)i * ldc + j] = bias ? bias[j] : 0;
  for (int p = 0; p < k; p += BLOCK_DEPTH) {
    int depth = min_int(BLOCK_DEPTH, k - p);
    for (int i0 = 0; i0 < m; i0 += BLOCK_ROWS) {
      int rows = min_int(BLOCK_ROWS, m - i0);
      pack_a(packed_a, rows, depth, (Matrix){a.data + (usize)i0 * a.row + (usize)p * a.col, a.row, a.col});
      for (int j = 0; j < n; j += COLUMNS) {
        int columns = min_int(COLUMNS, n - j);
        pack_b(packed_b, depth, columns, (Matrix){b.data + (usize)p * b.row + (usize)j * b.col, b.row, b.col});
        for (int i = 0; i < rows; i += ROWS) {
          float *corner = c + (usize)(i0 + i) * ldc + j;
          const float *panel = packed_a + i * depth;
          int tile_rows = min_int(ROWS, rows - i);
          if (tile_rows == ROWS && columns == COLUMNS) tile(depth, panel, packed_b, corner, ldc);
          else edge_tile(depth, panel, packed_b, corner, ldc, tile_rows, columns, whole);
        }
      }
    }
  }
}
