/* Variables: read from JSON, set, hidden and found again. */
#include "protocol/vars.h"

#include "support/support.h"

#include <stdio.h>

#include <uvow/error.h>

#define S(literal) ((uvow__slice_t){literal, sizeof(literal) - 1})

static void expect(const uvow__vars_t *vars, const char *name,
                   const char *json) {
  uvow__slice_t text = uvow__vars_get(vars, name);
  if (json)
    assert_true(uvow__slice_is(text, json));
  else
    assert_null(text.ptr);
}

TEST_CASE(are_read) {
  static const char text[] =
      " {\"a\" : \"x\\\"y\" ,\"b\":[1, {\"c\":2}],\"\\u0063\":null}\n";
  uvow__vars_t vars;
  assert_int_equal(uvow__vars_init(&vars, &uvow__mem_default, text), 0);
  assert_int_equal(vars.count, 3);
  expect(&vars, "a", "\"x\\\"y\"");
  expect(&vars, "b", "[1, {\"c\":2}]");
  expect(&vars, "c", "null");
  expect(&vars, "d", NULL);
  uvow__vars_done(&vars);
  assert_int_equal(uvow__vars_init(&vars, &uvow__mem_default, "{ }"), 0);
  expect(&vars, "a", NULL);
  uvow__vars_done(&vars);
  assert_int_equal(uvow__vars_init(&vars, &uvow__mem_default, NULL), 0);
  uvow__vars_done(&vars);
}

TEST_CASE(must_be_an_object) {
  static const char *const bad[] = {"",          "[]",         "5",
                                    "{",         "{\"a\":}",   "{} x",
                                    "{\"a\" 1}", "{\"a\":1,}", "{'a':1}"};
  uvow__vars_t vars;
  for (size_t i = 0; i < UVOW__COUNT(bad); i++)
    assert_int_equal(uvow__vars_init(&vars, &uvow__mem_default, bad[i]),
                     UVOW_EINVAL);
}

/* What a connection has picked is forgotten with it. */
TEST_CASE(are_picked) {
  uvow__vars_t vars;
  assert_int_equal(uvow__vars_init(&vars, &uvow__mem_default, "{\"a\":1}"), 0);
  assert_int_equal(uvow__vars_set(&vars, S("a"), S("2")), 0);
  assert_int_equal(uvow__vars_set(&vars, S("b"), S("3")), 0);
  expect(&vars, "a", "2");
  assert_int_equal(uvow__vars_set(&vars, S("a"), S("\"longer\"")), 0);
  expect(&vars, "a", "\"longer\"");
  assert_int_equal(vars.count, 3);
  uvow__vars_reset(&vars);
  expect(&vars, "a", "1");
  expect(&vars, "b", NULL);
  uvow__vars_done(&vars);
}

static void expect_missing(const char *name_of, const char *json,
                           const char *name, size_t at) {
  const uvow_protocol_t *protocol = uvow_protocol_by_name(name_of);
  size_t step = 99;
  uvow__vars_t vars;
  assert_int_equal(uvow__vars_init(&vars, &uvow__mem_default, json), 0);
  const char *missing =
      uvow__vars_missing(&vars, protocol->steps, protocol->step_count, &step);
  if (name)
    assert_string_equal(missing, name);
  else
    assert_null(missing);
  if (name)
    assert_int_equal(step, at);
  uvow__vars_done(&vars);
}

TEST_CASE(may_be_missing) {
  expect_missing("home_assistant", NULL, "token", 1);
  expect_missing("home_assistant", "{\"token\":\"T\"}", NULL, 0);
  expect_missing("wamp2", "{\"token\":\"T\"}", "realm", 0);
  expect_missing("lsp", NULL, "initialize", 0);
  expect_missing("obs5", NULL, NULL, 0); /* it's asked for by some only */
  expect_missing("graphql_transport_ws", NULL, NULL, 0);
  expect_missing("jsonrpc2", NULL, NULL, 0);
}

/* A variable that a step before has picked isn't missing; one behind, is. */
TEST_CASE(are_missing_until_picked) {
  static const struct {
    const char *open;
    const char *missing;
    size_t at;
  } rows[] = {
      {"{\"expect\":{\"/a\":1},\"pick\":{\"w\":\"/w\",\"x\":\"/x\"}},"
       "{\"send\":{\"b\":\"$x\"}}",
       NULL, 0},
      {"{\"send\":{\"b\":\"$x\"}},{\"expect\":{\"/a\":1},\"pick\":{\"x\":"
       "\"/x\"}}",
       "x", 0},
      {"{\"expect\":{\"/a\":1},\"pick\":{\"x\":\"/x\"}},"
       "{\"expect\":{\"/b\":1},\"same\":{\"x\":\"/x\"}}",
       NULL, 0},
      {"{\"expect\":{\"/a\":1},\"pick\":{\"w\":\"/w\"}},"
       "{\"expect\":{\"/b\":1},\"same\":{\"x\":\"/x\"}}",
       "x", 1},
      {"{\"make\":\"obs5_asks\",\"send\":{\"b\":\"$asks?\"}},"
       "{\"expect\":{\"/b\":1},\"same\":{\"authentication\":\"/x\"}}",
       NULL, 0},
      {"{\"make\":\"obs5_asks\",\"send\":{\"b\":\"$Own\"}}", "Own", 0},
      {"{\"make\":\"obs5_asks\",\"send\":{\"b\":\"$asks?\"}},"
       "{\"send\":{\"b\":\"$Own\"}}",
       "Own", 1},
      {"{\"send\":{\"b\":\"$1\",\"c\":\"$[\",\"d\":\"$`\",\"e\":\"$~\","
       "\"f\":\"$@\",\"g\":\"$\"}}",
       NULL, 0},
  };
  for (size_t i = 0; i < UVOW__COUNT(rows); i++) {
    char text[500];
    size_t at = 9;
    uvow__vars_t vars;
    snprintf(text, sizeof(text),
             "{\"name\":\"n\",\"ids\":\"number\",\"call\":{\"id\":\"$id\"},"
             "\"rules\":[{\"is\":\"ok\",\"id\":\"/id\"}],\"open\":[%s]}",
             rows[i].open);
    uvow_protocol_t *made = uvow_protocol_parse(text, strlen(text), NULL);
    assert_non_null(made);
    assert_int_equal(uvow__vars_init(&vars, &uvow__mem_default, NULL), 0);
    const char *missing =
        uvow__vars_missing(&vars, made->steps, made->step_count, &at);
    assert_int_equal(!missing, !rows[i].missing);
    if (missing) {
      assert_string_equal(missing, rows[i].missing);
      assert_int_equal(at, rows[i].at);
    }
    uvow__vars_done(&vars);
    uvow_protocol_unref(made);
  }
}

static void sweep(test_alloc_t *alloc, void *data) {
  uvow__vars_t vars;
  (void)data;
  if (uvow__vars_init(&vars, &alloc->allocator, "{\"a\":1,\"b\":[]}"))
    return;
  if (uvow__vars_set(&vars, S("b"), S("2")) == 0)
    expect(&vars, "b", "2");
  else
    expect(&vars, "b", "[]");
  if (uvow__vars_set(&vars, S("b"), S("3")) == 0)
    expect(&vars, "b", "3");
  uvow__vars_done(&vars);
}

TEST_CASE(survive_failures) {
  test_alloc_sweep(sweep, NULL);
}

TEST_MODULE(vars) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(are_read),
      cmocka_unit_test(must_be_an_object),
      cmocka_unit_test(are_picked),
      cmocka_unit_test(may_be_missing),
      cmocka_unit_test(survive_failures),
      cmocka_unit_test(are_missing_until_picked),
  };
  return cmocka_run_group_tests_name("protocol/vars", tests, NULL, NULL);
}
