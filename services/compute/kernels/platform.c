#include "platform.h"

#ifdef __wasm__

#define PAGE_BYTES 65536ul
extern u8 __heap_base;
static usize arena_top;

// One instance of the module holds one network, so nothing is ever freed: the host drops the instance.
void *arena_alloc(usize bytes) {
  if (arena_top == 0) arena_top = (usize)&__heap_base;
  usize begin = (arena_top + 63) & ~(usize)63;
  usize end = begin + bytes;
  usize have = __builtin_wasm_memory_size(0) * PAGE_BYTES;
  if (end > have) {
    usize pages = (end - have + PAGE_BYTES - 1) / PAGE_BYTES;
    if (__builtin_wasm_memory_grow(0, pages) == (usize)-1) __builtin_trap();
  }
  arena_top = end;
  return (void *)begin;
}

#else

#include <stdlib.h>

void *arena_alloc(usize bytes) {
  usize rounded = (bytes + 63) & ~(usize)63;
  u8 *memory = aligned_alloc(64, rounded);
  if (!memory) abort();
  for (usize i = 0; i < rounded; i++) memory[i] = 0;
  return memory;
}

#endif
