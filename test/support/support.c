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

static void *alloc_malloc(size_t size, void *data) {
  test_alloc_t *alloc = (test_alloc_t *)data;
  void *ptr = fails(alloc) ? NULL : malloc(size);
  alloc->live += ptr != NULL;
  return ptr;
}

static void *alloc_realloc(void *old, size_t size, void *data) {
  test_alloc_t *alloc = (test_alloc_t *)data;
  void *ptr = fails(alloc) ? NULL : realloc(old, size);
  alloc->live += ptr != NULL && old == NULL;
  return ptr;
}

static void alloc_free(void *ptr, void *data) {
  test_alloc_t *alloc = (test_alloc_t *)data;
  alloc->live--;
  free(ptr);
}

void test_alloc_init(test_alloc_t *alloc) {
  memset(alloc, 0, sizeof(*alloc));
  alloc->allocator.malloc_cb = alloc_malloc;
  alloc->allocator.realloc_cb = alloc_realloc;
  alloc->allocator.free_cb = alloc_free;
  alloc->allocator.data = alloc;
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
