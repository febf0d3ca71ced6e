#include "base/intern.h"

#include "support/support.h"

#include <stdio.h>

static const char *text_of(const uvow__intern_t *intern, unsigned number) {
  uvow__slice_t text = uvow__intern_text(intern, number);
  assert_int_equal(text.len, strlen(text.ptr));
  return text.ptr;
}

TEST_CASE(the_same_text_is_kept_once) {
  uvow__intern_t intern;
  char text[16] = "get";
  uvow__intern_init(&intern, &uvow__mem_default);
  unsigned get = uvow__intern(&intern, text);
  assert_string_equal(text_of(&intern, get), "get");
  snprintf(text, sizeof(text), "put"); /* a copy was kept */
  assert_string_equal(text_of(&intern, get), "get");
  unsigned put = uvow__intern(&intern, text);
  assert_string_equal(text_of(&intern, put), "put");
  assert_int_equal(uvow__intern(&intern, "get"), get);
  assert_int_equal(uvow__intern(&intern, "get"), get);
  assert_int_equal(uvow__intern(&intern, "put"), put);
  assert_string_equal(text_of(&intern, uvow__intern(&intern, "")), "");
  assert_int_equal(intern.count, 3);
  uvow__intern_done(&intern);
}

/* What was given stays where it is while others come. */
TEST_CASE(texts_never_move) {
  uvow__intern_t intern;
  const char *kept[1000];
  char text[16];
  uvow__intern_init(&intern, &uvow__mem_default);
  for (int i = 0; i < 1000; i++) {
    snprintf(text, sizeof(text), "m%d", i);
    kept[i] = text_of(&intern, uvow__intern(&intern, text));
  }
  for (int i = 999; i >= 0; i--) {
    snprintf(text, sizeof(text), "m%d", i);
    assert_string_equal(kept[i], text);
    assert_ptr_equal(text_of(&intern, uvow__intern(&intern, text)), kept[i]);
  }
  assert_int_equal(intern.count, 1000);
  uvow__intern_done(&intern);
}

/* Whoever makes names up doesn't make memory grow. */
TEST_CASE(too_many_are_one) {
  uvow__intern_t intern;
  char text[16];
  uvow__intern_init(&intern, &uvow__mem_default);
  for (int i = 0; i < UVOW__INTERN_MAX; i++) {
    snprintf(text, sizeof(text), "m%d", i);
    assert_string_equal(text_of(&intern, uvow__intern(&intern, text)), text);
  }
  size_t places = intern.mask + 1;
  for (int i = 0; i < 20000; i++) {
    snprintf(text, sizeof(text), "x%d", i);
    assert_int_equal(uvow__intern(&intern, text), 0);
  }
  assert_string_equal(text_of(&intern, 0), "(other)");
  assert_string_equal(text_of(&intern, uvow__intern(&intern, "m0")), "m0");
  assert_string_equal(text_of(&intern, uvow__intern(&intern, "m4095")),
                      "m4095");
  assert_int_equal(intern.count, UVOW__INTERN_MAX);
  assert_int_equal(intern.mask + 1, places);
  assert_true(places >= 2 * UVOW__INTERN_MAX); /* never full: a probe ends */
  uvow__intern_done(&intern);
}

TEST_CASE(none_takes_no_memory) {
  uvow__intern_t intern;
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  uvow__intern_init(&intern, &alloc.allocator);
  uvow__intern_done(&intern);
  assert_int_equal(alloc.calls, 0);
}

static void intern_some(test_alloc_t *alloc, void *data) {
  uvow__intern_t intern;
  char text[16];
  (void)data;
  uvow__intern_init(&intern, &alloc->allocator);
  for (int i = 0; i < 40; i++) {
    snprintf(text, sizeof(text), "m%d", i % 20);
    unsigned number = uvow__intern(&intern, text);
    assert_string_equal(text_of(&intern, number), number ? text : "(other)");
  }
  uvow__intern_done(&intern);
}

TEST_CASE(without_memory_it_is_another) {
  test_alloc_sweep(intern_some, NULL);
}

TEST_MODULE(intern) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_same_text_is_kept_once),
      cmocka_unit_test(texts_never_move),
      cmocka_unit_test(too_many_are_one),
      cmocka_unit_test(none_takes_no_memory),
      cmocka_unit_test(without_memory_it_is_another),
  };
  return cmocka_run_group_tests_name("base/intern", tests, NULL, NULL);
}
