#include "rpc/payload.h"

#include "support/script.h"

#include <jansson.h>

static uvow__slice_t slice(const char *text, size_t len) {
  uvow__slice_t s = {text, len};
  return s;
}

/* Small text is kept within, longer outside; both are copies. */
TEST_CASE(test_sizes) {
  test_alloc_t alloc;
  uvow__cache_t cache;
  char text[200];
  test_alloc_init(&alloc);
  uvow__cache_init(&cache, &alloc.allocator);
  for (size_t len = 0; len <= sizeof(text); len++) {
    uvow__payload_t payload;
    memset(text, 'a', sizeof(text));
    assert_int_equal(uvow__payload_init(&payload, &cache, slice(text, len)), 0);
    assert_int_equal(alloc.live, len > UVOW__PAYLOAD_SMALL);
    memset(text, 'b', sizeof(text));
    assert_int_equal(payload.len, len);
    assert_non_null(payload.bytes);
    for (size_t i = 0; i < len; i++)
      assert_int_equal(payload.bytes[i], 'a');
    uvow__payload_done(&payload);
    uvow__cache_done(&cache);
    assert_int_equal(alloc.live, 0);
  }
  alloc.fail_at = alloc.calls + 1;
  uvow__payload_t payload;
  assert_int_equal(uvow__payload_init(&payload, &cache, slice(text, 200)),
                   UVOW_ENOMEM);
  assert_null(payload.bytes);
  assert_int_equal(payload.len, 0);
  uvow__payload_done(&payload);
}

/* What a message was put together in: `size` bytes, of which `cap` are its. */
static uvow__buf_t whole_of(const uvow__mem_t *mem, size_t size, size_t cap) {
  uvow__buf_t whole;
  uvow__buf_init(&whole, mem, SIZE_MAX);
  assert_int_equal(uvow__buf_reserve(&whole, cap), 0);
  whole.cap = cap;
  memset(whole.data, 'a', size);
  whole.len = size;
  return whole;
}

/* A large text takes the memory that its message was put together in; one that
 * is small, or a small part of it, or elsewhere, is copied. */
TEST_CASE(test_large_text_is_taken) {
  static char elsewhere[100000];
  const size_t large = UVOW__PAYLOAD_LARGE;
  const struct {
    size_t len;
    size_t cap;
    int is_elsewhere;
    int taken;
  } cases[] = {{large, large + 100, 0, 1}, {large - 1, large + 100, 0, 0},
               {large, 2 * large, 0, 1},   {large, 2 * large + 2, 0, 0},
               {large, large + 100, 1, 0}, {90000, 90100, 0, 1}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    test_alloc_t alloc;
    uvow__cache_t cache;
    uvow__payload_t payload;
    test_alloc_init(&alloc);
    uvow__cache_init(&cache, &alloc.allocator);
    uvow__buf_t whole =
        whole_of(&alloc.allocator, cases[i].len + 50, cases[i].cap);
    uint8_t *block = whole.data;
    const char *at =
        cases[i].is_elsewhere ? elsewhere : (const char *)block + 20;
    assert_int_equal(
        uvow__payload_take(&payload, &cache, slice(at, cases[i].len), &whole),
        0);
    assert_int_equal(payload.bytes == at, cases[i].taken);
    assert_int_equal(whole.data == NULL, cases[i].taken);
    assert_int_equal(alloc.live, 2 - cases[i].taken);
    uvow__buf_done(&whole);
    char expected = cases[i].is_elsewhere ? '\0' : 'a';
    for (size_t n = 0; n < cases[i].len; n++)
      assert_int_equal(payload.bytes[n], expected);
    uvow__payload_done(&payload);
    uvow__cache_done(&cache);
    assert_int_equal(alloc.live, 0);
  }
}

/* None at all; and what can't be read. */
TEST_CASE(test_json) {
  uvow__payload_t payload;
  uvow__cache_t cache;
  struct json_t *json = NULL;
  struct json_t *again = NULL;
  uvow__cache_init(&cache, &uvow__mem_default);
  assert_int_equal(uvow__payload_init(&payload, &cache, slice(NULL, 0)), 0);
  assert_int_equal(uvow__payload_json(&payload, &json), UVOW_EPAYLOAD);
  uvow__payload_done(&payload);
  static const char *const bad[] = {"", " ", "{", "1 2", "nul", "[1,]"};
  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
    assert_int_equal(
        uvow__payload_init(&payload, &cache, slice(bad[i], strlen(bad[i]))), 0);
    assert_int_equal(uvow__payload_json(&payload, &json), UVOW_EPAYLOAD);
    assert_null(json);
    uvow__payload_done(&payload);
  }
  assert_int_equal(uvow__payload_init(&payload, &cache, slice("[1]", 3)), 0);
  assert_int_equal(uvow__payload_json(&payload, &json), 0);
  assert_int_equal(json_array_size(json), 1);
  assert_int_equal(uvow__payload_json(&payload, &again), 0);
  assert_ptr_equal(again, json); /* parsed once */
  uvow__payload_done(&payload);
}

static const char *text_of(uvow_value_t value, char *text, size_t cap) {
  uvow__buf_t out;
  uvow__buf_init(&out, &uvow__mem_default, cap - 1);
  uvow__slice_t got;
  int rc = uvow__value_text(&value, &out, &got);
  if (rc == 0 && got.len)
    memcpy(text, got.ptr, got.len);
  text[rc ? 0 : got.len] = '\0';
  if (rc)
    strcpy(text, uvow_err_name(rc));
  uvow__buf_done(&out);
  uvow_value_clear(&value);
  return text;
}

TEST_CASE(test_to_json) {
  script_t s;
  char text[32];
  static const uvow_type_t own = {sizeof(uvow_type_t), "own", NULL, NULL};
  script_init(&s);
#define TEXT(value) text_of(value, text, sizeof(text))
  assert_string_equal(TEXT(uvow_value_none()), "");
  assert_string_equal(TEXT(uvow_value_int64(INT64_MAX)), "9223372036854775807");
  assert_string_equal(TEXT(uvow_value_double(-0.25)), "-0.25");
  assert_string_equal(TEXT(uvow_value_double(1e300 * 1e300)), "UVOW_EINVAL");
  assert_string_equal(TEXT(uvow_value_text("\"\\")), "\"\\\"\\\\\"");
  assert_string_equal(TEXT(uvow_value_text("\x80")), "UVOW_EINVAL");
  assert_string_equal(TEXT(uvow_value_json(json_pack("[b]", 1))), "[true]");
  assert_string_equal(TEXT(uvow_value_json(NULL)), "");
  assert_string_equal(TEXT(uvow_value_bytes(s.loop, "{}", 2)), "{}");
  assert_string_equal(TEXT(uvow_value_bytes(s.loop, NULL, 0)), "");
  assert_string_equal(TEXT(uvow_value_bytes(NULL, "{}", 2)), "UVOW_EINVAL");
  assert_string_equal(TEXT(uvow_value_raw("[1, 2]")), "[1, 2]");
  assert_string_equal(TEXT(uvow_value_raw(NULL)), "UVOW_ETYPE");
  uvow_slice_t part = {"[1][2]", 3};
  assert_string_equal(TEXT(uvow_value_slice(&part)), "[1]");
  assert_string_equal(TEXT(uvow_value_slice(NULL)), "UVOW_ETYPE");
  assert_string_equal(TEXT(uvow_value_ptr(&own, text)), "UVOW_ETYPE");
  assert_string_equal(
      TEXT(uvow_value_text("0123456789012345678901234567890123456789")),
      "UVOW_EOVERLOAD");
  script_end(&s);
}

/* A result's payload stays with who keeps it, also beyond its future. */
static uvow_next_t keep(const uvow_result_t *result, void *data) {
  *(uvow_value_t *)data = uvow_result_keep(result);
  assert_non_null(uvow_result_bytes(result).bytes);
  assert_non_null(uvow_result_json(result));
  return uvow_next_none();
}

TEST_CASE(test_keep) {
  static const char *const texts[] = {
      "[1]", "[\"a text that is longer than the room within the block\"]"};
  for (size_t i = 0; i < 2; i++) {
    script_t s;
    char text[256];
    uvow_result_t result = {0};
    uvow_value_t kept = uvow_value_none();
    script_init(&s);
    script_open_client(&s, NULL);
    uvow_future_detach(
        uvow_future_then(script_request(&s, "m", NULL), keep, &kept));
    script_turns(&s);
    strcpy(text, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":");
    strcat(text, texts[i]);
    strcat(text, "}");
    script_text(&s, text);
    uvow_peer_unref(s.client);
    s.client = NULL;
    result.value = kept;
    uvow_slice_t got = uvow_result_bytes(&result);
    assert_string_equal(uvow_value_type_name(&kept), "bytes");
    assert_int_equal(got.len, strlen(texts[i]));
    assert_memory_equal(got.bytes, texts[i], got.len);
    uvow_value_clear(&kept);
    script_end(&s);
  }
}

static uvow_next_t keep_tree(const uvow_result_t *result, void *data) {
  *(uvow_value_t *)data = uvow_result_keep(result);
  return uvow_next_none();
}

/* A tree isn't copied: who keeps it is one more owner of it. */
TEST_CASE(test_keep_json) {
  script_t s;
  uvow_value_t kept = uvow_value_none();
  uvow_result_t result;
  script_init(&s);
  struct json_t *tree = json_pack("[i]", 1);
  uvow_future_t *f = uvow_future_fulfilled(s.loop, uvow_value_json(tree));
  uvow_future_detach(uvow_future_then(uvow_future_ref(f), keep_tree, &kept));
  script_turns(&s);
  assert_ptr_equal(kept.as.ptr, tree);
  assert_int_equal(uvow_future_peek(f, &result), 0);
  assert_ptr_equal(uvow_result_json(&result), tree);
  uvow_future_unref(f);
  assert_int_equal(json_array_size(tree), 1);
  uvow_value_clear(&kept);
  script_end(&s);
}

TEST_CASE(test_results) {
  script_t s;
  uvow_result_t result;
  script_init(&s);
  uvow_future_t *f = uvow_future_fulfilled(s.loop, uvow_value_int64(1));
  assert_int_equal(uvow_future_peek(f, &result), 0);
  assert_null(uvow_result_bytes(&result).bytes);
  assert_int_equal(uvow_result_bytes(&result).len, 0);
  assert_null(uvow_result_json(&result));
  uvow_future_unref(f);
  f = uvow_future_fulfilled(s.loop, uvow_value_json(json_true()));
  assert_int_equal(uvow_future_peek(f, &result), 0);
  assert_ptr_equal(uvow_result_json(&result), json_true());
  assert_null(uvow_result_bytes(&result).bytes);
  assert_int_equal(uvow_result_is_binary(&result), 0);
  uvow_future_unref(f);
  f = uvow_future_fulfilled(s.loop, uvow_value_json(json_array()));
  assert_int_equal(uvow_future_peek(f, &result), 0);
  uvow_value_t kept = uvow_result_keep(&result);
  uvow_future_unref(f);
  void *json;
  assert_int_equal(uvow_value_get_ptr(&kept, &uvow_type_json, &json), 0);
  assert_int_equal(json_array_size((json_t *)json), 0);
  uvow_value_clear(&kept);
  f = uvow_future_rejected(s.loop, uvow_error_new(s.loop, UVOW_EPAYLOAD, NULL));
  assert_int_equal(uvow_future_peek(f, &result), 0);
  assert_int_equal(uvow_result_is_binary(&result), 0);
  assert_int_equal(uvow_result_is_binary(NULL), 0);
  assert_null(uvow_result_json(&result));
  assert_null(uvow_result_json(NULL));
  uvow_future_unref(f);
  script_turns(&s);
  script_expect_unhandled(&s, "UVOW_EPAYLOAD");
  assert_int_equal(uvow_next_json(NULL).code, UVOW_EPAYLOAD);
  script_end(&s);
}

#define NOTE(params) "{\"jsonrpc\":\"2.0\",\"method\":\"n\"" params "}"

/* Params of every type, as they are written; none and those that
 * hold JSON text are sent without an allocation. */
TEST_CASE(test_params) {
  script_t s;
  uvow_slice_t part = {"[3][4]", 3};
  script_init(&s);
  script_open_client(&s, NULL);
  struct {
    uvow_value_t value;
    const char *text;
  } cases[] = {
      {uvow_value_none(), NOTE("")},
      {uvow_value_raw("[1, 2]"), NOTE(",\"params\":[1, 2]")},
      {uvow_value_slice(&part), NOTE(",\"params\":[3]")},
      {uvow_value_bytes(s.loop, "{}", 2), NOTE(",\"params\":{}")},
      {uvow_value_jsonf(s.loop, "[i]", 5), NOTE(",\"params\":[5]")},
      {uvow_value_json(json_pack("[i]", 6)), NOTE(",\"params\":[6]")},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    assert_int_equal(uvow_peer_notify(s.client, "n", cases[i].value), 0);
    script_turns(&s);
    script_expect_sent(&s, cases[i].text);
  }
  size_t calls = s.alloc->calls;
  for (size_t i = 0; i < 3; i++)
    assert_int_equal(uvow_peer_notify(s.client, "n", cases[i].value), 0);
  assert_int_equal(s.alloc->calls, calls);
  assert_int_equal(uvow_peer_notify(s.client, "n", uvow_value_raw(NULL)),
                   UVOW_ETYPE);
  assert_int_equal(
      uvow_peer_notify(s.client, "n", uvow_value_jsonf(s.loop, "[")),
      UVOW_EINVAL);
  uvow_peer_unref(s.client);
  s.client = NULL;
  script_end(&s);
}

TEST_MODULE(payload) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sizes),  cmocka_unit_test(test_large_text_is_taken),
      cmocka_unit_test(test_json),   cmocka_unit_test(test_to_json),
      cmocka_unit_test(test_keep),   cmocka_unit_test(test_keep_json),
      cmocka_unit_test(test_params), cmocka_unit_test(test_results),
  };
  return cmocka_run_group_tests_name("rpc/payload", tests, NULL, NULL);
}
