/* What all templates share: writing with them, and the short way of reading. */
#include "protocol/protocol.h"

#include "support/support.h"

#include <stdio.h>

#include <uvow/error.h>

#include "wire/json_text.h"

#define S(literal)                                                             \
  { literal, sizeof(literal) - 1 }

/* ---- reading ---- */

static int same_slice(uvow__slice_t a, uvow__slice_t b) {
  return a.ptr == b.ptr && a.len == b.len;
}

static int same(const uvow__msg_t *a, const uvow__msg_t *b) {
  return a->kind == b->kind && a->has_id == b->has_id && a->id == b->id &&
         a->has_error_code == b->has_error_code && a->fault == b->fault &&
         same_slice(a->raw_id, b->raw_id) && same_slice(a->name, b->name) &&
         same_slice(a->session, b->session) && same_slice(a->value, b->value);
}

/* Both ways, of a copy without anything behind it, so that an over-read is
 * seen: what the templates read, the rules must read too. Returns whether a
 * template read it. */
static int agree(const uvow_protocol_t *protocol, const char *text,
                 size_t len) {
  uvow__msg_t quick, slow;
  int read = 0;
  char *copy = (char *)malloc(len ? len : 1);
  assert_non_null(copy);
  memcpy(copy, text, len);
  int rc = uvow__protocol_decode_by_rules(protocol, &protocol->ids, copy, len,
                                          &slow);
  for (int kind = 0; kind < UVOW__OP_KINDS; kind++) {
    if (!uvow__template_read(&protocol->templates[kind], &protocol->ids, copy,
                             len, &quick))
      continue;
    if (rc || !same(&quick, &slow))
      fail_msg("%s: %.*s", uvow_protocol_name(protocol), (int)len, text);
    read++;
  }
  assert_int_equal(uvow__protocol_decode(protocol, copy, len, &quick), rc);
  assert_true(rc || same(&quick, &slow));
  free(copy);
  return read;
}

static const struct {
  const char *protocol;
  const char *text;
  int is_short;
} messages[] = {
    {"jsonrpc2", "{\"jsonrpc\":\"2.0\",\"id\":123,\"result\":{\"x\":81}}", 1},
    {"jsonrpc2", "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":null}", 1},
    {"jsonrpc2", "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":-1.5e3}", 1},
    {"jsonrpc2",
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[1]}", 1},
    {"jsonrpc2", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\\n\"}", 0},
    {"jsonrpc2", "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{}}", 1},
    {"jsonrpc2", "{\"jsonrpc\":\"2.0\",\"method\":\"\"}", 1},
    {"jsonrpc2", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"e\",\"params\":5}",
     0},
    {"jsonrpc2", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"e\",\"id\":2}", 0},
    {"jsonrpc2", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1,\"error\":{}}", 0},
    {"jsonrpc2", "{\"jsonrpc\":\"2.0\",\"id\":999999999999999,\"result\":1}",
     1},
    {"jsonrpc2", "{\"jsonrpc\":\"2.0\",\"id\":1000000000000000,\"result\":1}",
     0},
    {"jsonrpc2", "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":1}", 0},
    {"jsonrpc2", "{\"jsonrpc\":\"2.0\",\"id\":01,\"result\":1}", 0},
    {"jsonrpc2", "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":1}", 0},
    {"callback_id", "{\"result\":true,\"callback_id\":5,\"data\":[]}", 1},
    {"callback_id", "{\"result\":false,\"callback_id\":5,\"data\":[]}", 0},
    {"callback_id", "{\"type\":\"t\",\"x\":1,\"callback_id\":1}", 0},
    {"callback_id", "{\"type\":\"t\"}", 0},
    {"cdp", "{\"id\":1,\"result\":{},\"sessionId\":\"S\"}", 1},
    {"cdp", "{\"id\":1,\"result\":{}}", 1},
    {"cdp", "{\"id\":1,\"result\":{},\"sessionId\":5}", 0},
    {"cdp", "{\"id\":1,\"method\":\"m\",\"params\":{},\"sessionId\":\"S\"}", 1},
    {"cdp", "{\"id\":1,\"method\":\"m\",\"params\":[]}", 0},
    {"cdp", "{\"method\":\"m\",\"sessionId\":\"S\"}", 1},
};

#define EACH_MESSAGE(i)                                                        \
  size_t i = 0;                                                                \
  i < UVOW__COUNT(messages);                                                   \
  i++

TEST_CASE(what_we_would_write_is_read_the_short_way) {
  for (EACH_MESSAGE(i)) {
    const char *text = messages[i].text;
    const uvow_protocol_t *protocol =
        uvow_protocol_by_name(messages[i].protocol);
    if (agree(protocol, text, strlen(text)) != messages[i].is_short)
      fail_msg("%s", text);
  }
}

/* One byte more, less, or another: the short way never says anything else than
 * the rules. */
TEST_CASE(both_ways_agree_on_what_is_nearly_so) {
  static const char bytes[] = "\0\t {}[]\",:\\e0123456789.-+n\x7f\xff";
  char text[200];
  for (EACH_MESSAGE(i)) {
    const uvow_protocol_t *protocol =
        uvow_protocol_by_name(messages[i].protocol);
    size_t len = strlen(messages[i].text);
    for (size_t at = 0; at <= len; at++) {
      memcpy(text, messages[i].text, at);
      agree(protocol, text, at);
      if (at < len) {
        memcpy(text + at, messages[i].text + at + 1, len - at - 1);
        agree(protocol, text, len - 1);
      }
      memcpy(text + at + 1, messages[i].text + at, len - at);
      for (size_t b = 0; b < sizeof(bytes); b++) {
        text[at] = bytes[b];
        agree(protocol, text, len + 1);
      }
      if (at == len)
        continue;
      memcpy(text + at + 1, messages[i].text + at + 1, len - at - 1);
      for (size_t b = 0; b < sizeof(bytes); b++) {
        text[at] = bytes[b];
        agree(protocol, text, len);
      }
    }
  }
}

/* Halves of different messages, joined. */
TEST_CASE(both_ways_agree_on_mixtures) {
  char text[200];
  for (EACH_MESSAGE(i)) {
    for (EACH_MESSAGE(k)) {
      const char *first = messages[i].text;
      const char *second = messages[k].text;
      for (size_t at = 0; at < strlen(first) && at < strlen(second); at++) {
        size_t len = strlen(second);
        memcpy(text, first, at);
        memcpy(text + at, second + at, len - at);
        agree(uvow_protocol_by_name(messages[i].protocol), text, len);
      }
    }
  }
}

/* ---- writing ---- */

static void is_written(const uvow_protocol_t *protocol, const uvow__op_t *op,
                       size_t before, const char *expected) {
  uvow__buf_t out;
  char filler[256];
  memset(filler, '.', sizeof(filler));
  uvow__buf_init(&out, &uvow__mem_default, 100000);
  assert_int_equal(uvow__buf_append(&out, filler, before), 0);
  assert_int_equal(uvow__protocol_encode(protocol, op, &out), 0);
  assert_int_equal(uvow__buf_size(&out), before + strlen(expected));
  if (before)
    assert_memory_equal(uvow__buf_front(&out), filler, before);
  assert_memory_equal(uvow__buf_front(&out) + before, expected,
                      strlen(expected));
  uvow__buf_done(&out);
}

static const char call_text[] =
    "{\"jsonrpc\":\"2.0\",\"id\":123,\"method\":"
    "\"echo\",\"params\":{\"x\":81}}";

/* A buffer begins with 256 bytes. */
TEST_CASE(room_may_end_anywhere) {
  uvow__op_t op = {.kind = UVOW__OP_CALL,
                   .id = 123,
                   .method = S("echo"),
                   .params = S("{\"x\":81}")};
  for (size_t before = 0; before <= 256; before++)
    is_written(uvow_protocol_by_name("jsonrpc2"), &op, before, call_text);
}

TEST_CASE(writes_every_id) {
  for (uint64_t id = 1; id <= UVOW__ID_MAX; id = id * 10 + id % 10) {
    for (uint64_t around = id - (id > 1); around <= id + 1; around++) {
      char text[100];
      uvow__op_t op = {.kind = UVOW__OP_CALL, .id = around, .method = S("m")};
      snprintf(text, sizeof(text), "{\"id\":%llu,\"method\":\"m\"}",
               (unsigned long long)around);
      is_written(uvow_protocol_by_name("cdp"), &op, 0, text);
    }
  }
}

TEST_CASE(writes_every_code) {
  static const struct {
    int64_t code;
    const char *text;
  } cases[] = {{0, "0"},
               {-1, "-1"},
               {10, "10"},
               {-32601, "-32601"},
               {INT64_MAX, "9223372036854775807"},
               {INT64_MIN, "-9223372036854775808"}};
  for (size_t i = 0; i < UVOW__COUNT(cases); i++) {
    char text[100];
    uvow__op_t op = {.kind = UVOW__OP_REPLY_ERROR,
                     .id = 1,
                     .error_code = cases[i].code,
                     .error_message = S("")};
    snprintf(text, sizeof(text),
             "{\"id\":1,\"error\":{\"code\":%s,\"message\":\"\"}}",
             cases[i].text);
    for (size_t before = 200; before <= 256; before++)
      is_written(uvow_protocol_by_name("cdp"), &op, before, text);
  }
}

/* Names of every length, plain, and with a quote at every place. */
TEST_CASE(writes_every_name) {
  char name[41];
  for (size_t len = 0; len < 40; len++) {
    for (size_t at = 0; at <= len; at++) {
      char text[200];
      uvow__op_t op = {.kind = UVOW__OP_CALL, .id = 1, .method = {name, len}};
      memset(name, 'm', len);
      if (at < len)
        name[at] = '"';
      snprintf(text, sizeof(text), "{\"id\":1,\"method\":\"%.*s%s%.*s\"}",
               (int)at, name, at < len ? "\\\"" : "",
               at < len ? (int)(len - at - 1) : 0, name + at + 1);
      is_written(uvow_protocol_by_name("cdp"), &op, 0, text);
      is_written(uvow_protocol_by_name("cdp"), &op, 256 - 22 - len, text);
    }
  }
}

/* Params of every length. */
TEST_CASE(writes_all_params) {
  char params[101];
  char text[200];
  memset(params, 'p', sizeof(params));
  params[0] = '[';
  params[1] = '"';
  for (size_t len = 4; len < 100; len++) {
    uvow__op_t op = {
        .kind = UVOW__OP_NOTIFY, .method = S("m"), .params = {params, len}};
    params[len - 2] = '"';
    params[len - 1] = ']';
    snprintf(text, sizeof(text),
             "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":%.*s}", (int)len,
             params);
    is_written(uvow_protocol_by_name("jsonrpc2"), &op, 0, text);
    is_written(uvow_protocol_by_name("jsonrpc2"), &op, 150, text);
    params[len - 2] = params[len - 1] = 'p';
  }
}

/* Large params stay where they are: with them in their place, the message is
 * what it would have been. They are checked as ever, unless they have been. */
TEST_CASE(splices_large_params) {
  static char params[UVOW__SPLICE_MIN + 2];
  for (size_t len = UVOW__SPLICE_MIN - 1; len <= UVOW__SPLICE_MIN; len++) {
    uvow__buf_t whole, spliced;
    uvow__splice_t splice = {{NULL, 0}, {NULL, 0}, 0, NULL};
    uvow__op_t op = {.kind = UVOW__OP_CALL, .id = 7, .method = S("m")};
    uvow__buf_init(&whole, &uvow__mem_default, SIZE_MAX);
    uvow__buf_init(&spliced, &uvow__mem_default, SIZE_MAX);
    memset(params, 'a', sizeof(params));
    memcpy(params, " [\"", 3);
    memcpy(params + len - 1, "\"]", 2);
    op.params = (uvow__slice_t){params, len + 1};
    assert_int_equal(
        uvow__protocol_encode(&uvow__protocol_jsonrpc2, &op, &whole), 0);
    op.params_how = UVOW__PARAMS_SPLICED;
    op.splice = &splice;
    assert_int_equal(
        uvow__protocol_encode(&uvow__protocol_jsonrpc2, &op, &spliced), 0);
    if (len < UVOW__SPLICE_MIN) {
      assert_int_equal(splice.inner.len, 0);
      assert_int_equal(whole.len, spliced.len);
    } else {
      assert_ptr_equal(splice.inner.ptr, params + 1);
      assert_int_equal(splice.inner.len, len);
      assert_int_equal(whole.len, spliced.len + len);
      assert_memory_equal(whole.data, spliced.data, splice.at);
      assert_memory_equal(whole.data + splice.at, params + 1, len);
      assert_memory_equal(whole.data + splice.at + len,
                          spliced.data + splice.at, spliced.len - splice.at);
    }
    params[100] = '\xFF';
    assert_int_equal(
        uvow__protocol_encode(&uvow__protocol_jsonrpc2, &op, &spliced),
        UVOW_EINVAL);
    params[100] = '"';
    assert_int_equal(
        uvow__protocol_encode(&uvow__protocol_jsonrpc2, &op, &spliced),
        UVOW_EINVAL);
    op.params = (uvow__slice_t)S("1"); /* no kind for params, whoever says so */
    op.params_how |= UVOW__PARAMS_CHECKED;
    assert_int_equal(
        uvow__protocol_encode(&uvow__protocol_jsonrpc2, &op, &spliced),
        UVOW_EINVAL);
    uvow__buf_done(&whole);
    uvow__buf_done(&spliced);
  }
}

/* The literal texts fit: what's behind them is copied too, and must be there.
 */
TEST_CASE(literals_have_zeros_behind_them) {
  static const char *const names[] = {"jsonrpc2", "callback_id", "cdp"};
  for (size_t i = 0; i < UVOW__COUNT(names); i++) {
    const uvow_protocol_t *protocol = uvow_protocol_by_name(names[i]);
    for (int kind = 0; kind < UVOW__OP_KINDS; kind++) {
      const uvow__template_t *template = &protocol->templates[kind];
      for (size_t k = 0; k < template->count; k++) {
        const uvow__piece_t *piece = &template->pieces[k];
        assert_in_range(piece->len, 1, sizeof(piece->text));
        for (size_t at = 0; at < sizeof(piece->text); at++)
          assert_int_equal(piece->text[at] == '\0', at >= piece->len);
      }
    }
  }
}

static const uvow__op_t full = {.kind = UVOW__OP_REPLY_ERROR,
                                .raw_id = S("\"x\""),
                                .session = S("s\n"),
                                .error_code = -5,
                                .error_message = S("m\1"),
                                .error_data = S("[1]")};
static const char full_text[] =
    "{\"id\":\"x\",\"error\":{\"code\":-5,\"message\":\"m\\u0001\","
    "\"data\":[1]},\"sessionId\":\"s\\n\"}";

/* All or nothing, wherever the limit is, and behind what is there already. */
TEST_CASE(a_limit_changes_nothing) {
  size_t len = sizeof(full_text) - 1;
  for (size_t max = 4; max <= 4 + len; max++) {
    uvow__buf_t out;
    int room = max == 4 + len;
    uvow__buf_init(&out, &uvow__mem_default, max);
    assert_int_equal(uvow__buf_append_text(&out, "kept"), 0);
    assert_int_equal(
        uvow__protocol_encode(uvow_protocol_by_name("cdp"), &full, &out),
        room ? 0 : UVOW_EOVERLOAD);
    assert_int_equal(uvow__buf_size(&out), room ? max : 4);
    assert_memory_equal(uvow__buf_front(&out), "kept", 4);
    if (room)
      assert_memory_equal(uvow__buf_front(&out) + 4, full_text, len);
    uvow__buf_done(&out);
  }
}

/* The same where room at the front of the buffer is used again. */
TEST_CASE(a_failure_survives_a_move) {
  uvow__buf_t out;
  char filler[200];
  memset(filler, '.', sizeof(filler));
  uvow__buf_init(&out, &uvow__mem_default, 256);
  assert_int_equal(uvow__buf_append(&out, filler, 200), 0);
  uvow__buf_consume(&out, 190);
  assert_int_equal(uvow__buf_append(&out, filler, 46), 0);
  assert_int_equal(out.off, 190);
  out.max = 100;
  assert_int_equal(
      uvow__protocol_encode(uvow_protocol_by_name("cdp"), &full, &out),
      UVOW_EOVERLOAD);
  assert_int_equal(out.off, 0); /* it was moved */
  assert_int_equal(uvow__buf_size(&out), 56);
  assert_memory_equal(uvow__buf_front(&out), filler, 56);
  uvow__buf_done(&out);
}

static void without_memory(test_alloc_t *alloc, void *data) {
  uvow__buf_t out;
  (void)data;
  uvow__buf_init(&out, &alloc->allocator, 10000);
  for (int i = 0; i < 10; i++) {
    size_t size = uvow__buf_size(&out);
    int rc = uvow__protocol_encode(uvow_protocol_by_name("cdp"), &full, &out);
    assert_true(rc == 0 || rc == UVOW_ENOMEM);
    assert_int_equal(uvow__buf_size(&out),
                     rc ? size : size + sizeof(full_text) - 1);
  }
  uvow__buf_done(&out);
}

TEST_CASE(survives_no_memory) {
  test_alloc_sweep(without_memory, NULL);
}

TEST_MODULE(template) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_we_would_write_is_read_the_short_way),
      cmocka_unit_test(both_ways_agree_on_what_is_nearly_so),
      cmocka_unit_test(both_ways_agree_on_mixtures),
      cmocka_unit_test(room_may_end_anywhere),
      cmocka_unit_test(writes_every_id),
      cmocka_unit_test(writes_every_code),
      cmocka_unit_test(writes_every_name),
      cmocka_unit_test(writes_all_params),
      cmocka_unit_test(splices_large_params),
      cmocka_unit_test(literals_have_zeros_behind_them),
      cmocka_unit_test(a_limit_changes_nothing),
      cmocka_unit_test(a_failure_survives_a_move),
      cmocka_unit_test(survives_no_memory),
  };
  return cmocka_run_group_tests_name("protocol/template", tests, NULL, NULL);
}
