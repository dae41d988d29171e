// Memory of the WebAssembly target; the addon's is native/arena.c.
#include "platform.h"

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
    if (__builtin_wasm_memory_grow(0, pages) == (usize)-1) REFUSE();
  }
  arena_top = end;
  return (void *)begin;
}
