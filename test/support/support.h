#ifndef UVOW_TEST_SUPPORT_H
#define UVOW_TEST_SUPPORT_H

/* What cmocka.h must find before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <uvow/base.h>

/* The tests of test/<room>/<name>.c: returns how many failed. A room's modules
 * are one program, which runs the one that is named: test_rpc client. */
#define TEST_MODULE(name)                                                      \
  int test_module_##name(void);                                                \
  int test_module_##name(void)

/* A test that needs no fixture: TEST_CASE(name) { ... }. One with a set-up of
 * its own is a function of cmocka's state. */
#define TEST_CASE(name)                                                        \
  static void test_case_##name(void);                                          \
  static void name(void **state) {                                             \
    (void)state;                                                               \
    test_case_##name();                                                        \
  }                                                                            \
  static void test_case_##name(void)

/* An allocator that counts, and fails when told to. */
typedef struct test_alloc {
  uvow_allocator_t allocator; /* give this one away */
  size_t calls;               /* of malloc and realloc, from the start */
  size_t live;                /* blocks that are out now */
  size_t fail_at;             /* the calls-th call that fails; 0: none */
  int fail_all_after;         /* and all calls after it too */
  size_t failed;              /* how many calls failed */
  int sized;                  /* each block knows its size: bytes are counted */
  size_t bytes;               /* that are out now */
  size_t peak;                /* the most that ever were */
} test_alloc_t;

void test_alloc_init(test_alloc_t *alloc);
/* The same, and bytes are counted: a block that is over- or underread by a
 * little is no longer seen. */
void test_alloc_init_sized(test_alloc_t *alloc);

/* Runs `body` with the 1st, 2nd, 3rd ... allocation failing, until a run has
 * none that fails. After each run nothing may be left allocated. `body` gets
 * the allocator and must end normally whatever fails. */
void test_alloc_sweep(void (*body)(test_alloc_t *alloc, void *data),
                      void *data);

#endif
