// The images of a batch from their bytes to what the network sees: mixed with a partner, then moved. The arithmetic is
// that of src/augment/batch.ts, in double precision and in the same order, so that wasm gives the same bits.
#include "platform.h"

// What was drawn for an image: its part in the mix, where its first target pixel comes from, and the steps there of one
// column and one row.
typedef struct {
  double lambda, from_y, from_x, column_y, column_x, row_y, row_x;
} Draw;

typedef struct {
  int height, width, channels;
  // Filled by the host: [batch,H,W,C] each, and one draw an image.
  u8 *first, *second;
  Draw *draws;
  // One image, and a row and a pixel more: a sample on the last row or column reads one beyond it, with weight 0.
  float *mixed;
  // [batch,H,W,C], values 0..1
  float *images;
} Augmenter;

// Allocates. `images` is where the images go.
EXPORT(augmenter_new) Augmenter *augmenter_new(int batch, int height, int width, int channels, float *images) {
  Augmenter *a = arena_alloc(sizeof(Augmenter));
  usize pixels = (usize)height * width * channels;
  *a = (Augmenter){.height = height,
                   .width = width,
                   .channels = channels,
                   .first = arena_alloc(batch * pixels),
                   .second = arena_alloc(batch * pixels),
                   .draws = arena_alloc(batch * sizeof(Draw)),
                   .mixed = alloc_floats(pixels + (usize)(width + 1) * channels),
                   .images = images};
  return a;
}

EXPORT(augmenter_first) u8 *augmenter_first(Augmenter *a) { return a->first; }
EXPORT(augmenter_second) u8 *augmenter_second(Augmenter *a) { return a->second; }
EXPORT(augmenter_draws) Draw *augmenter_draws(Augmenter *a) { return a->draws; }

static void mix(const u8 *restrict first, const u8 *restrict second, double lambda, float *restrict out, int pixels) {
  double unit = 1.0 / 255, of_first = lambda * unit, of_second = (1 - lambda) * unit;
  for (int p = 0; p < pixels; p++) out[p] = (float)(of_first * first[p] + of_second * second[p]);
}

static void scale(const u8 *restrict bytes, float *restrict out, int pixels) {
  double unit = 1.0 / 255;
  for (int p = 0; p < pixels; p++) out[p] = (float)(bytes[p] * unit);
}

INLINE double clamp(double value, double maximum) { return value < 0 ? 0 : value > maximum ? maximum : value; }

// Bilinear, with the nearest pixel beyond the edges.
INLINE void warp(const Augmenter *a, int channels, const Draw *draw, float *restrict out) {
  double max_y = a->height - 1, max_x = a->width - 1;
  int line = a->width * channels;
  for (int row = 0; row < a->height; row++) {
    double y = draw->from_y + row * draw->row_y, x = draw->from_x + row * draw->row_x;
    for (int column = 0; column < a->width; column++) {
      double inside_y = clamp(y, max_y), inside_x = clamp(x, max_x);
      int top = (int)inside_y, left = (int)inside_x;
      double part_y = inside_y - top, part_x = inside_x - left;
      const float *at = a->mixed + top * line + left * channels;
      for (int c = 0; c < channels; c++, at++) {
        double upper_left = at[0], lower_left = at[line];
        double upper = upper_left + part_x * ((double)at[channels] - upper_left);
        double lower = lower_left + part_x * ((double)at[line + channels] - lower_left);
        *out++ = (float)(upper + part_y * (lower - upper));
      }
      y += draw->column_y;
      x += draw->column_x;
    }
  }
}

// The first `count` images, mixed and moved as far as asked.
EXPORT(augmenter_fill) void augmenter_fill(Augmenter *a, int count, int mixes, int warps) {
  int pixels = a->height * a->width * a->channels;
  for (int n = 0; n < count; n++) {
    const Draw *draw = &a->draws[n];
    float *image = a->images + (usize)n * pixels, *out = warps ? a->mixed : image;
    const u8 *first = a->first + (usize)n * pixels;
    if (mixes) mix(first, a->second + (usize)n * pixels, draw->lambda, out, pixels);
    else scale(first, out, pixels);
    if (!warps) continue;
    // Spelt out for grey: with one channel the inner loop is gone.
    if (a->channels == 1) warp(a, 1, draw, image);
    else warp(a, a->channels, draw, image);
  }
}
