// exp and log as polynomials of our own (coefficients of Cephes' expf and logf, error below 2 units in the last
// place), because a host's libm gives other bits on another machine.
#pragma once
#include "platform.h"

#define FLOAT_MIN_NORMAL 1.17549435e-38f

// Saturates at exp(-87) and exp(88); NaN stays NaN.
INLINE vf v_exp(vf x) {
  x = blend(x > splat(88.0f), splat(88.0f), x);
  x = blend(x < splat(-87.0f), splat(-87.0f), x);
  vf scaled = x * splat(1.44269504088896341f);
  vi power = __builtin_convertvector(scaled + blend(scaled < splat(0), splat(-0.5f), splat(0.5f)), vi);
  vf whole = __builtin_convertvector(power, vf);
  // ln 2 in two parts: the first has few bits, so that its product with a small whole number is exact
  vf r = x - whole * splat(0.693359375f);
  r = r - whole * splat(-2.12194440e-4f);
  vf y = splat(1.9875691500e-4f);
  y = y * r + splat(1.3981999507e-3f);
  y = y * r + splat(8.3334519073e-3f);
  y = y * r + splat(4.1665795894e-2f);
  y = y * r + splat(1.6666665459e-1f);
  y = y * r + splat(5.0000001201e-1f);
  y = y * r * r + r + splat(1);
  return y * (vf)((power + splat_int(127)) << 23);
}

// For positive numbers; smaller than the least normal float counts as that. NaN stays NaN.
INLINE vf v_log(vf x) {
  vf kept = x;
  x = blend(x < splat(FLOAT_MIN_NORMAL), splat(FLOAT_MIN_NORMAL), x);
  vi bits = (vi)x;
  vi power = (bits >> 23) - splat_int(126);
  vf m = (vf)((bits & splat_int(0x007fffff)) | splat_int(0x3f000000));
  // mantissa into sqrt(1/2)..sqrt(2), where the polynomial holds
  vi low = m < splat(0.707106781186547524f);
  power = power + low;
  m = m + blend(low, m, splat(0)) - splat(1);
  vf e = __builtin_convertvector(power, vf);
  vf z = m * m;
  vf y = splat(7.0376836292e-2f);
  y = y * m + splat(-1.1514610310e-1f);
  y = y * m + splat(1.1676998740e-1f);
  y = y * m + splat(-1.2420140846e-1f);
  y = y * m + splat(1.4249322787e-1f);
  y = y * m + splat(-1.6668057665e-1f);
  y = y * m + splat(2.0000714765e-1f);
  y = y * m + splat(-2.4999993993e-1f);
  y = y * m + splat(3.3333331174e-1f);
  y = y * m * z;
  y = y + e * splat(-2.12194440e-4f) - splat(0.5f) * z;
  y = m + y + e * splat(0.693359375f);
  return blend(kept == kept, y, kept);
}

INLINE vf v_sigmoid(vf x) { return splat(1) / (splat(1) + v_exp(-x)); }

INLINE float s_exp(float x) { return v_exp(splat(x))[0]; }
INLINE float s_log(float x) { return v_log(splat(x))[0]; }

INLINE int is_finite(double x) { return x - x == 0; }
