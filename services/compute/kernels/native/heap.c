#include "heap.h"
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

// Above what V8 and lmdb allocate often, below a shard of images.
#define LARGE_BLOCK_BYTES (256 * 1024)

int heap_return_large_blocks(void) {
#ifdef __GLIBC__
  // glibc raises its own threshold to the largest block that was ever freed. From then on image shards lie in the heap,
  // where what outlives them keeps their pages.
  return mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES);
#else
  return 0;
#endif
}
