#include "rpc/methods.h"

#include "support/support.h"

#include <stdio.h>

#include <uvow/error.h>

static int destroyed;

static void on_destroy(void *data) {
  (void)data;
  destroyed++;
}

static uvow_next_t cb(const uvow_call_t *call, void *data) {
  (void)call;
  (void)data;
  return uvow_next_none();
}

static uvow__slice_t slice(const char *text) {
  uvow__slice_t s = {text, strlen(text)};
  return s;
}

/* Many names, each found, and its data its own. */
static void test_many(void **state) {
  uvow__methods_t methods;
  static int data[500];
  char name[32];
  (void)state;
  destroyed = 0;
  uvow__methods_init(&methods, &uvow__mem_default);
  assert_null(uvow__methods_find(&methods, slice("m")));
  for (int i = 0; i < 500; i++) {
    snprintf(name, sizeof(name), "method.%d", i);
    assert_int_equal(
        uvow__methods_set(&methods, name, cb, &data[i], on_destroy), 0);
    assert_true(methods.count * 2 <= methods.mask + 1);
  }
  for (int i = 0; i < 500; i++) {
    snprintf(name, sizeof(name), "method.%d", i);
    const uvow__method_t *method = uvow__methods_find(&methods, slice(name));
    assert_non_null(method);
    assert_ptr_equal(method->data, &data[i]);
    name[strlen(name) - 1] = 'x';
    assert_null(uvow__methods_find(&methods, slice(name)));
  }
  assert_null(uvow__methods_find(&methods, slice("")));
  assert_int_equal(destroyed, 0);
  assert_int_equal(
      uvow__methods_set(&methods, "method.7", cb, &data[0], on_destroy), 0);
  assert_int_equal(destroyed, 1);
  assert_int_equal(methods.count, 500);
  uvow__methods_done(&methods);
  assert_int_equal(destroyed, 501);
}

/* A name is bytes: a prefix, or one with a NUL, is another. */
static void test_names(void **state) {
  uvow__methods_t methods;
  uvow__slice_t nul = {"a\0b", 3};
  (void)state;
  uvow__methods_init(&methods, &uvow__mem_default);
  assert_int_equal(uvow__methods_set(&methods, "a", cb, NULL, NULL), 0);
  assert_int_equal(uvow__methods_set(&methods, "", cb, NULL, NULL), 0);
  assert_null(uvow__methods_find(&methods, nul));
  assert_null(uvow__methods_find(&methods, slice("aa")));
  assert_non_null(uvow__methods_find(&methods, slice("a")));
  assert_non_null(uvow__methods_find(&methods, slice("")));
  uvow__methods_done(&methods);
}

/* Without memory the data is released, and the others stay. */
static void body(test_alloc_t *alloc, void *data) {
  uvow__methods_t methods;
  char name[32];
  int set = 0;
  (void)data;
  destroyed = 0;
  uvow__methods_init(&methods, &alloc->allocator);
  for (int i = 0; i < 20; i++) {
    snprintf(name, sizeof(name), "m%d", i);
    int rc = uvow__methods_set(&methods, name, cb, NULL, on_destroy);
    assert_true(rc == 0 || rc == UVOW_ENOMEM);
    set += rc == 0;
    assert_int_equal(uvow__methods_find(&methods, slice(name)) != NULL,
                     rc == 0);
    assert_int_equal(methods.count, set);
  }
  assert_int_equal(destroyed, 20 - set);
  uvow__methods_done(&methods);
  assert_int_equal(destroyed, 20);
}

static void test_no_memory(void **state) {
  (void)state;
  test_alloc_sweep(body, NULL);
}

TEST_MODULE(methods) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_many),
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_no_memory),
  };
  return cmocka_run_group_tests_name("rpc/methods", tests, NULL, NULL);
}
