#include "arena.h"
#include <sys/mman.h>

#if !defined(MAP_ANONYMOUS)
#define MAP_ANONYMOUS MAP_ANON
#endif

// Addresses cost nothing until they are used; the host refuses a network of more than 1.5 GiB.
#define RESERVED_BYTES ((usize)1 << 31)
#define COMMIT_BYTES ((usize)1 << 20)
#define ALIGNMENT ((usize)64)

_Thread_local Arena *arena_current;

int arena_open(Arena *arena) {
  void *base = mmap(0, RESERVED_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) return 0;
  // Offset 0 stays free: the host's null pointer.
  *arena = (Arena){.base = base, .top = ALIGNMENT, .reserved = RESERVED_BYTES};
  return 1;
}

void arena_close(Arena *arena) {
  if (arena->base) munmap(arena->base, arena->reserved);
  arena->base = 0;
}

_Noreturn void arena_refuse(void) { longjmp(arena_current->refused, 1); }

void *arena_alloc(usize bytes) {
  Arena *arena = arena_current;
  usize begin = (arena->top + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
  if (bytes > arena->reserved - begin) arena_refuse();
  usize end = begin + bytes;
  if (end > arena->committed) {
    usize committed = (end + COMMIT_BYTES - 1) & ~(COMMIT_BYTES - 1);
    if (committed > arena->reserved) arena_refuse();
    // Fresh pages are zero.
    if (mprotect(arena->base, committed, PROT_READ | PROT_WRITE) != 0) arena_refuse();
    arena->committed = committed;
  }
  arena->top = end;
  return arena->base + begin;
}
