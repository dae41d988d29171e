// The memory of one network in the addon: one run of addresses, so that the host sees it through one ArrayBuffer and
// addresses it by offsets, as it does a WebAssembly memory.
#pragma once
#include "../platform.h"
#include <setjmp.h>

typedef struct {
  u8 *base;
  // Bytes handed out, backed by memory, and reserved as addresses.
  usize top, committed, reserved;
  // Where a call into the kernels is left from when memory runs out.
  jmp_buf refused;
} Arena;

// The arena that `arena_alloc` takes from on this thread; set before every call into the kernels.
extern _Thread_local Arena *arena_current;

// Reserves addresses only. Returns 0 where there are none.
int arena_open(Arena *arena);
// Every address of it is invalid afterwards. Twice is fine.
void arena_close(Arena *arena);
