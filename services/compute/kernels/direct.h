// Convolutions without im2col. In NHWC a row of a window is one contiguous run of kernel_width·channels floats, so that
// a convolution is a matrix product whose left rows overlap in memory: it is done in register tiles of pixels × output
// channels straight from the image.
#pragma once
#include "graph.h"

// One side of a convolution: a plane with its number of channels.
typedef struct {
  const Plane *plane;
  int height, width, channels;
} Side;

INLINE Side side_of(const Tensor *t, const Plane *plane) { return (Side){plane, t->height, t->width, t->channels}; }

// Floats that packed weights take.
SHARED int direct_windows_floats(const Windows *w, int channels, int outputs);
SHARED int direct_spread_floats(const Windows *w, int channels, int outputs);
SHARED int direct_correlate_floats(const Windows *w, int channels, int outputs);

// Widens the frame of the plane that windows of these read, or that the spread ones read.
SHARED void direct_windows_frame(Frame *frame, const Windows *w, int height, int width, int out_height, int out_width);
SHARED void direct_spread_frame(Frame *frame, const Windows *w, int height, int width, int in_height, int in_width);

// small = activation(bias + windows of large · weights [kh,kw,large channels,small channels]); bias may be NULL.
// With `adds` the product is added to what is there.
SHARED void direct_windows(const Windows *w, Side large, Side small, const float *weights, const float *bias,
                           Activation activation, int adds, float *packed, int count);
// The transpose of it: large = activation(bias + Σ over the windows that a pixel is in).
SHARED void direct_spread(const Windows *w, Side small, Side large, const float *weights, const float *bias,
                          Activation activation, int adds, float *packed, int count);
// gradient [kh,kw,large channels,small channels] = Σ over the batch of windows of large × pixels of small
SHARED void direct_correlate(const Windows *w, Side large, Side small, float *gradient, float *tiles, int count);
// sums[channels] = Σ over all pixels; `scratch` has a vector more.
SHARED void direct_sum_pixels(Side side, float *sums, float *scratch, int count);
