// What differs between the targets of these sources: vector width, memory and exported names.
#pragma once

typedef unsigned char u8;
typedef __SIZE_TYPE__ usize;

// Floats per vector. Every sum below runs over its terms in an order that doesn't depend on it, so that targets of
// another width may differ only by fused multiply-adds.
#ifndef VW
#define VW 4
#endif

// Aligned to one float only: windows of a convolution start anywhere.
typedef float vf __attribute__((vector_size(VW * 4), aligned(4), may_alias));
typedef int vi __attribute__((vector_size(VW * 4), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))
// For what keeps its sums in registers: inlined, it would share them with its caller.
#define NOINLINE __attribute__((noinline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 64")
#endif

#ifdef __wasm__
#define EXPORT(name) __attribute__((export_name(#name)))
#define SHARED
#else
// The addon holds these sources once per instruction set, each time as one translation unit, so nothing may have a
// name outside it (see native/variant.c). A prototype with SHARED gives its definition internal linkage.
#define EXPORT(name) static
#define SHARED static
#endif

INLINE vf load(const float *p) { return *(const vf *)p; }
INLINE void store(float *p, vf v) { *(vf *)p = v; }

// Written out: clang keeps a loop over the lanes as a loop through memory, 17 times slower on wasm.
#if VW == 4
INLINE vf splat(float a) { return (vf){a, a, a, a}; }
INLINE vi splat_int(int a) { return (vi){a, a, a, a}; }
#elif VW == 8
INLINE vf splat(float a) { return (vf){a, a, a, a, a, a, a, a}; }
INLINE vi splat_int(int a) { return (vi){a, a, a, a, a, a, a, a}; }
#elif VW == 16
INLINE vf splat(float a) { return (vf){a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a}; }
INLINE vi splat_int(int a) { return (vi){a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a}; }
#else
#error "VW must be 4, 8 or 16"
#endif

// mask has all bits of a lane set or none, as comparisons give them
INLINE vf blend(vi mask, vf yes, vf no) { return (vf)((mask & (vi)yes) | (~mask & (vi)no)); }
INLINE vi blend_int(vi mask, vi yes, vi no) { return (mask & yes) | (~mask & no); }

INLINE int min_int(int a, int b) { return a < b ? a : b; }
INLINE int round_up(int value, int multiple) { return (value + multiple - 1) / multiple * multiple; }

// Floats behind the end of every buffer that vectors may read or write past the last element.
#define SLACK 64

// Zeroed memory that lives as long as the network; 64-byte aligned. Only called while a network is built, so memory
// stays flat over the steps. Doesn't return where there is none left: the host gets an exception.
void *arena_alloc(usize bytes);

#ifdef __wasm__
#define REFUSE() __builtin_trap()
#else
_Noreturn void arena_refuse(void);
// Leaves the call that the host made, which gets an exception.
#define REFUSE() arena_refuse()
#endif

INLINE float *alloc_floats(usize count) { return (float *)arena_alloc((count + SLACK) * sizeof(float)); }
INLINE int *alloc_ints(usize count) { return (int *)arena_alloc((count + SLACK) * sizeof(int)); }
