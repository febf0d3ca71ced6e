#include "rpc/methods.h"

#include "support/script.h"

#include <stdio.h>

#include <uvow/error.h>

static int destroyed;

static void on_destroy(void *data) {
  (void)data;
  destroyed++;
}

static uvow_next_t cb(uvow_call_t *call, const uvow_result_t *params,
                      void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_none();
}

static uvow__slice_t slice(const char *text) {
  uvow__slice_t s = {text, strlen(text)};
  return s;
}

static uvow_methods_t *new_methods(script_t *s) {
  script_init(s);
  uvow_methods_t *methods = uvow_methods_new(s->loop);
  assert_non_null(methods);
  destroyed = 0;
  return methods;
}

/* Many names, each found, and its data its own. */
TEST_CASE(test_many) {
  script_t s;
  static int data[500];
  char name[32];
  uvow_methods_t *methods = new_methods(&s);
  assert_null(uvow__methods_find(methods, slice("m")));
  for (int i = 0; i < 500; i++) {
    snprintf(name, sizeof(name), "method.%d", i);
    assert_int_equal(uvow__methods_set(methods, name, cb, &data[i], on_destroy),
                     0);
    assert_true(methods->count * 2 <= methods->mask + 1);
  }
  for (int i = 0; i < 500; i++) {
    snprintf(name, sizeof(name), "method.%d", i);
    const uvow__method_t *method = uvow__methods_find(methods, slice(name));
    assert_non_null(method);
    assert_ptr_equal(method->data, &data[i]);
    name[strlen(name) - 1] = 'x';
    assert_null(uvow__methods_find(methods, slice(name)));
  }
  assert_null(uvow__methods_find(methods, slice("")));
  assert_int_equal(
      uvow__methods_set(methods, "method.7", cb, &data[0], on_destroy), 0);
  assert_int_equal(destroyed, 0); /* later */
  script_turns(&s);
  assert_int_equal(destroyed, 1);
  assert_int_equal(methods->count, 500);
  uvow_methods_unref(methods);
  assert_int_equal(destroyed, 1);
  script_turns(&s);
  assert_int_equal(destroyed, 501);
  script_end(&s);
}

/* A name is bytes: a prefix, or one with a NUL, is another. */
TEST_CASE(test_names) {
  script_t s;
  uvow__slice_t nul = {"a\0b", 3};
  uvow_methods_t *methods = new_methods(&s);
  assert_int_equal(uvow_methods_add(methods, "a", cb, NULL), 0);
  assert_int_equal(uvow_methods_add(methods, "", cb, NULL), 0);
  assert_null(uvow__methods_find(methods, nul));
  assert_null(uvow__methods_find(methods, slice("aa")));
  assert_non_null(uvow__methods_find(methods, slice("a")));
  assert_non_null(uvow__methods_find(methods, slice("")));
  uvow_methods_unref(methods);
  script_end(&s);
}

/* NULL as name is for all that no other has; it is replaced as they are. */
TEST_CASE(test_default_entry) {
  script_t s;
  int a, b;
  uvow_methods_t *methods = new_methods(&s);
  assert_int_equal(uvow__methods_set(methods, NULL, cb, &a, on_destroy), 0);
  assert_ptr_equal(uvow__methods_find(methods, slice("m"))->data, &a);
  assert_int_equal(uvow_methods_add(methods, "m", cb, &b), 0);
  assert_ptr_equal(uvow__methods_find(methods, slice("m"))->data, &b);
  assert_ptr_equal(uvow__methods_find(methods, slice(""))->data, &a);
  assert_int_equal(uvow_methods_add(methods, NULL, cb, &b), 0);
  assert_ptr_equal(uvow__methods_find(methods, slice(""))->data, &b);
  script_turns(&s);
  assert_int_equal(destroyed, 1);
  uvow_methods_unref(methods);
  script_end(&s);
  assert_int_equal(destroyed, 1);
}

TEST_CASE(test_bad_arguments) {
  script_t s;
  uvow_methods_t *methods = new_methods(&s);
  assert_int_equal(uvow_methods_add(NULL, "m", cb, NULL), UVOW_EINVAL);
  assert_int_equal(uvow_methods_add(methods, "m", NULL, NULL), UVOW_EINVAL);
  assert_int_equal(uvow_methods_own(methods, NULL, NULL), UVOW_EINVAL);
  assert_int_equal(uvow_methods_own(NULL, NULL, on_destroy), UVOW_EINVAL);
  assert_int_equal(destroyed, 1);
  assert_null(uvow_methods_new(NULL));
  assert_null(uvow_methods_ref(NULL));
  assert_null(uvow__methods_find(NULL, slice("m")));
  uvow_methods_unref(NULL);
  uvow_methods_unref(methods);
  script_end(&s);
}

/* A table that outlives its loop. */
TEST_CASE(test_after_the_loop) {
  script_t s;
  uvow_methods_t *methods = new_methods(&s);
  assert_int_equal(uvow_methods_own(methods, NULL, on_destroy), 0);
  assert_int_equal(uvow__methods_set(methods, "m", cb, NULL, on_destroy), 0);
  uvow_loop_close(s.loop, NULL, NULL);
  script_turns(&s);
  assert_null(uvow_methods_new(s.loop));
  assert_int_equal(uvow_methods_add(methods, "m", cb, NULL), 0);
  assert_int_equal(destroyed, 1);
  uvow_methods_unref(methods);
  assert_int_equal(destroyed, 2);
  s.loop = NULL;
  script_end(&s);
}

/* The data of a method that is replaced, or of a table, may add others, as
 * often as it likes, and let go of the table. */
typedef struct plugin {
  uvow_methods_t *methods;
  int rounds;
} plugin_t;

static void destroy_plugin(void *data) {
  plugin_t *plugin = (plugin_t *)data;
  char name[32];
  destroyed++;
  if (plugin->rounds-- == 0) {
    uvow_methods_unref(plugin->methods);
    return;
  }
  for (int i = 0; i < 40; i++) {
    snprintf(name, sizeof(name), "stub%d.%d", plugin->rounds, i);
    assert_int_equal(uvow_methods_add(plugin->methods, name, cb, NULL), 0);
  }
  assert_int_equal(
      uvow__methods_set(plugin->methods, "a", cb, plugin, destroy_plugin), 0);
  assert_int_equal(uvow_methods_add(plugin->methods, "a", cb, NULL), 0);
}

TEST_CASE(test_destroy_adds) {
  script_t s;
  plugin_t plugin = {NULL, 3};
  plugin.methods = new_methods(&s);
  assert_int_equal(
      uvow__methods_set(plugin.methods, "a", cb, &plugin, destroy_plugin), 0);
  assert_int_equal(uvow_methods_add(plugin.methods, "a", cb, NULL), 0);
  script_turns(&s);
  assert_int_equal(destroyed, 4);
  script_end(&s);
}

/* Without memory the data is released, and the others stay. */
static void body(test_alloc_t *alloc, void *data) {
  script_t s;
  char name[32];
  int set = 0;
  (void)data;
  script_init_with(&s, alloc);
  destroyed = 0;
  uvow_methods_t *methods = s.loop ? uvow_methods_new(s.loop) : NULL;
  for (int i = 0; methods && i < 20; i++) {
    snprintf(name, sizeof(name), "m%d", i);
    int rc = uvow__methods_set(methods, name, cb, NULL, on_destroy);
    assert_true(rc == 0 || rc == UVOW_ENOMEM);
    set += rc == 0;
    assert_int_equal(uvow__methods_find(methods, slice(name)) != NULL, rc == 0);
    assert_int_equal(methods->count, set);
  }
  if (methods) {
    int owned = uvow_methods_own(methods, NULL, on_destroy) == 0;
    assert_int_equal(destroyed, 20 - set + !owned);
    uvow_methods_unref(methods);
    if (s.loop)
      script_turns(&s);
    assert_int_equal(destroyed, 21);
  }
  script_quit(&s);
}

TEST_CASE(test_no_memory) {
  test_alloc_sweep(body, NULL);
}

TEST_MODULE(methods) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_many),
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_default_entry),
      cmocka_unit_test(test_bad_arguments),
      cmocka_unit_test(test_after_the_loop),
      cmocka_unit_test(test_destroy_adds),
      cmocka_unit_test(test_no_memory),
  };
  return cmocka_run_group_tests_name("rpc/methods", tests, NULL, NULL);
}
