/* Each block has its size before it. */
#include "load.h"

#include <stdlib.h>
#include <string.h>

#define HEAD 16 /* keeps what malloc aligned aligned */

static void count(load_memory_t *memory, size_t size) {
  memory->bytes += size;
  if (memory->bytes > memory->peak)
    memory->peak = memory->bytes;
}

static void *counted_malloc(size_t size, void *data) {
  load_memory_t *memory = (load_memory_t *)data;
  char *block = (char *)malloc(size + HEAD);
  if (!block)
    return NULL;
  memcpy(block, &size, sizeof(size));
  memory->blocks++;
  count(memory, size);
  return block + HEAD;
}

static void counted_free(void *ptr, void *data) {
  load_memory_t *memory = (load_memory_t *)data;
  size_t size;
  if (!ptr)
    return;
  memcpy(&size, (char *)ptr - HEAD, sizeof(size));
  memory->blocks--;
  memory->bytes -= size;
  free((char *)ptr - HEAD);
}

static void *counted_realloc(void *ptr, size_t size, void *data) {
  load_memory_t *memory = (load_memory_t *)data;
  size_t old;
  if (!ptr)
    return counted_malloc(size, data);
  memcpy(&old, (char *)ptr - HEAD, sizeof(old));
  char *block = (char *)realloc((char *)ptr - HEAD, size + HEAD);
  if (!block)
    return NULL;
  memcpy(block, &size, sizeof(size));
  memory->bytes -= old;
  count(memory, size);
  return block + HEAD;
}

void load_memory_init(load_memory_t *memory) {
  memset(memory, 0, sizeof(*memory));
  memory->allocator.size = sizeof(memory->allocator);
  memory->allocator.malloc_cb = counted_malloc;
  memory->allocator.realloc_cb = counted_realloc;
  memory->allocator.free_cb = counted_free;
  memory->allocator.data = memory;
}
