#include "support.h"

static int fails(test_alloc_t *alloc) {
  alloc->calls++;
  if (alloc->fail_at == 0 || alloc->calls < alloc->fail_at)
    return 0;
  if (alloc->calls > alloc->fail_at && !alloc->fail_all_after)
    return 0;
  alloc->failed++;
  return 1;
}

/* Before a block that knows its size, aligned as that. */
typedef union head {
  size_t size;
  max_align_t align;
} head_t;

static void count(test_alloc_t *alloc, size_t old_size, size_t size) {
  alloc->bytes += size - old_size;
  if (alloc->bytes > alloc->peak)
    alloc->peak = alloc->bytes;
}

static void *resize(test_alloc_t *alloc, void *old, size_t size) {
  head_t *head = old && alloc->sized ? (head_t *)old - 1 : (head_t *)old;
  size_t old_size = head && alloc->sized ? head->size : 0;
  if (size > SIZE_MAX - sizeof(head_t))
    return NULL;
  head = (head_t *)realloc(head, size + (alloc->sized ? sizeof(head_t) : 0));
  if (!head || !alloc->sized)
    return head;
  head->size = size;
  count(alloc, old_size, size);
  return head + 1;
}

static void *alloc_malloc(size_t size, void *data) {
  test_alloc_t *alloc = (test_alloc_t *)data;
  void *ptr = fails(alloc) ? NULL : resize(alloc, NULL, size);
  alloc->live += ptr != NULL;
  return ptr;
}

static void *alloc_realloc(void *old, size_t size, void *data) {
  test_alloc_t *alloc = (test_alloc_t *)data;
  void *ptr = fails(alloc) ? NULL : resize(alloc, old, size);
  alloc->live += ptr != NULL && old == NULL;
  return ptr;
}

static void alloc_free(void *ptr, void *data) {
  test_alloc_t *alloc = (test_alloc_t *)data;
  head_t *head = (head_t *)ptr;
  alloc->live--;
  if (alloc->sized) {
    head--;
    count(alloc, head->size, 0);
  }
  free(head);
}

void test_alloc_init(test_alloc_t *alloc) {
  memset(alloc, 0, sizeof(*alloc));
  alloc->allocator.size = sizeof(alloc->allocator);
  alloc->allocator.malloc_cb = alloc_malloc;
  alloc->allocator.realloc_cb = alloc_realloc;
  alloc->allocator.free_cb = alloc_free;
  alloc->allocator.data = alloc;
}

void test_alloc_init_sized(test_alloc_t *alloc) {
  test_alloc_init(alloc);
  alloc->sized = 1;
}

static size_t sweep_once(void (*body)(test_alloc_t *alloc, void *data),
                         void *data, size_t fail_at, int all_after) {
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  alloc.fail_at = fail_at;
  alloc.fail_all_after = all_after;
  body(&alloc, data);
  assert_int_equal(alloc.live, 0);
  return alloc.failed;
}

void test_alloc_sweep(void (*body)(test_alloc_t *alloc, void *data),
                      void *data) {
  size_t at = 1;
  while (sweep_once(body, data, at, 0) > 0) {
    sweep_once(body, data, at, 1);
    at++;
  }
  assert_true(at > 1); /* a body that allocates nothing proves nothing */
}
