/*
 * Descriptions that can work: which of their templates messages are read with,
 * and what is looked for where. Whatever a template reads, the rules read too.
 */
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include <uvow/error.h>
#include <uvow/protocol.h>

#include "protocol/parse.h"

#define N UVOW__MSG_MALFORMED

static uvow_protocol_t *parse(const char *text) {
  uvow_error_t *error = NULL;
  uvow_protocol_t *made = uvow_protocol_parse(text, strlen(text), &error);
  if (!made)
    fail_msg("%s\n  %s", text, uvow_error_message(error));
  return made;
}

/* Its answers, the rules beside those of "ok" for "/ok", and what the template
 * of answers reads. */
static const struct {
  const char *reply;
  const char *rules;
  int reads;
} rows[] = {
    {"{\"id\":\"$id\",\"ok\":\"$value\"}", "", UVOW__MSG_OK},
    /* Literals of each kind around it, of each length that is compared. */
    {"[\"r\",{\"k\":{\"z\":[1,{},[]]}},\"$id\",\"$value\"]",
     "{\"when\":{\"/0\":\"r\"},\"is\":\"ok\",\"id\":\"/2\",\"value\":\"/3\"},",
     UVOW__MSG_OK},
    {"{\"a\":[[],{}],\"sixteen_bytes\":{},\"id\":\"$id\",\"ok\":\"$value\"}",
     "", UVOW__MSG_OK},
    {"{\"more_than_sixteen_bytes\":1,\"id\":\"$id\",\"ok\":\"$value\"}", "",
     UVOW__MSG_OK},
    {"{\"id\":\"$id\",\"more_than_sixteen_bytes\":1,\"ok\":\"$value\","
     "\"and_more_than_sixteen_bytes\":2}",
     "", UVOW__MSG_OK},
    /* Rules look into what varies, or compare it. */
    {"{\"id\":\"$id\",\"ok\":\"$value\"}",
     "{\"when\":{\"/ok/x\":true},\"is\":\"event\",\"name\":\"/ok/x\"},", N},
    {"{\"id\":\"$id\",\"ok\":\"$value\"}",
     "{\"when\":{\"/ok\":\"s\"},\"is\":\"event\",\"name\":\"/ok\"},", N},
    {"{\"id\":\"$id\",\"ok\":\"$value\"}",
     "{\"when\":{\"/id\":7},\"is\":\"ignore\"},", N},
    /* Sessions have names; what is written is something else; half of one. */
    {"{\"id\":\"$id\",\"ok\":\"$value\"}",
     "{\"when\":{\"/ok\":true,\"/s\":true},\"is\":\"ok\",\"id\":\"/"
     "id\",\"value\":\"/ok\","
     "\"session\":{\"s\":\"/s\"}},",
     N},
    {"{\"id\":\"$id\",\"p\":\"$value\"}",
     "{\"when\":{\"/p\":true},\"is\":\"partial\",\"id\":\"/id\",\"value\":\"/"
     "p\"}"
     ",",
     N},
    {"{\"id\":\"$id\",\"h\":\"$value\"}",
     "{\"when\":{\"/h\":true},\"is\":\"ok\",\"id\":\"/id\",\"value\":\"/h\","
     "\"half\":true},{\"when\":{\"/e\":true},\"is\":\"end\",\"id\":\"/id\","
     "\"half\":true},",
     N},
    /* The id, or the value, is elsewhere; it isn't one of ours. */
    {"{\"id\":\"$id\",\"w\":5,\"v\":\"$value\"}",
     "{\"when\":{\"/w\":true},\"is\":\"ok\",\"id\":\"/w\",\"value\":\"/v\"},",
     N},
    {"{\"id\":\"$id\",\"w\":\"x\",\"v\":\"$value\"}",
     "{\"when\":{\"/w\":true},\"is\":\"ok\",\"id\":\"/w\",\"value\":\"/v\"},",
     N},
    {"{\"id\":\"$id\",\"w\":5,\"v\":\"$value\"}",
     "{\"when\":{\"/w\":true},\"is\":\"ok\",\"id\":\"/id\",\"value\":\"/w\"},",
     N},
    /* It may be left out, or it's a variable of the application's. */
    {"{\"id\":\"$id\",\"ok\":1,\"v\":\"$params\"}",
     "{\"when\":{\"/v\":true},\"is\":\"ok\",\"id\":\"/id\",\"value\":\"/v\"},"
     "{\"when\":{\"/ok\":1},\"is\":\"ok\",\"id\":\"/id\"},",
     UVOW__MSG_OK},
    {"{\"id\":\"$id\",\"ok\":\"$own\"}", "", N},
    {"{\"id\":\"$id\",\"ok\":1}", "", N},
};

static uvow_protocol_t *made_of(size_t row, const char *ids) {
  char text[1000];
  snprintf(
      text, sizeof(text),
      "{\"name\":\"n\",\"ids\":\"%s\",\"call\":{\"id\":\"$id\"},\"reply\":%s,"
      "\"rules\":[%s{\"when\":{\"/ok\":true},\"is\":\"ok\",\"id\":\"/id\","
      "\"value\":\"/ok\"}]}",
      ids, rows[row].reply, rows[row].rules);
  return parse(text);
}

/* A message, and that message with one byte another: both ways say the same. */
static void agree(const uvow_protocol_t *made, char *text, size_t len) {
  uvow__msg_t quick, slow;
  int rc = uvow__protocol_decode_by_rules(made, &made->ids, text, len, &slow);
  assert_int_equal(uvow__protocol_decode(made, text, len, &quick), rc);
  if (rc)
    return;
  assert_int_equal(quick.kind, slow.kind);
  assert_int_equal(quick.id, slow.id);
  assert_int_equal(quick.fault, slow.fault);
  assert_ptr_equal(quick.raw_id.ptr, slow.raw_id.ptr);
  assert_ptr_equal(quick.value.ptr, slow.value.ptr);
  assert_int_equal(quick.value.len, slow.value.len);
}

static void agree_about_all(const uvow_protocol_t *made, const char *value) {
  static const char bytes[] = "\"[]{}:,0 x";
  uvow__op_t op = {.kind = UVOW__OP_REPLY, .id = 123456};
  uvow__buf_t out;
  op.params = (uvow__slice_t){value, strlen(value)};
  uvow__buf_init(&out, &uvow__mem_default, SIZE_MAX);
  if (uvow__protocol_encode(made, &op, &out) == 0)
    for (size_t at = 0; at < uvow__buf_size(&out); at++) {
      char *text = (char *)uvow__buf_front(&out);
      char was = text[at];
      agree(made, text, uvow__buf_size(&out));
      agree(made, text, at);
      for (size_t b = 0; b < sizeof(bytes) - 1; b++) {
        text[at] = bytes[b];
        agree(made, text, uvow__buf_size(&out));
      }
      text[at] = was;
    }
  uvow__buf_done(&out);
}

TEST_CASE(by_templates_or_by_rules) {
  for (size_t i = 0; i < UVOW__COUNT(rows); i++)
    for (int texts = 0; texts < 2; texts++) {
      uvow_protocol_t *made = made_of(i, texts ? "text" : "number");
      if (!texts || rows[i].reads == UVOW__MSG_MALFORMED)
        assert_int_equal(made->templates[UVOW__OP_REPLY].reads, rows[i].reads);
      agree_about_all(made, "{\"a\":1}");
      agree_about_all(made, "\"s\"");
      uvow_protocol_unref(made);
    }
}

/* Pointers that need more than a name: each finds the name of its event. */
TEST_CASE(places) {
  static const struct {
    const char *pointer, *message;
  } finds[] = {
      {"/a~1b", "{\"a/b\":\"found\",\"a~1b\":\"no\"}"},
      {"/a~0b", "{\"a~b\":\"found\",\"a~0b\":\"no\"}"},
      {"/~01", "{\"~1\":\"found\",\"/\":\"no\"}"},
      {"/", "{\"\":\"found\",\"a\":\"no\"}"},
      {"/-x", "{\"-x\":\"found\"}"},
      {"/12", "[0,1,2,3,4,5,6,7,8,9,\"no\",\"no\",\"found\",\"no\"]"},
      {"/0", "[\"found\"]"},
  };
  for (size_t i = 0; i < UVOW__COUNT(finds); i++) {
    char text[300];
    uvow__msg_t msg;
    snprintf(text, sizeof(text),
             "{\"name\":\"n\",\"rules\":[{\"is\":\"event\",\"name\":\"%s\"}]}",
             finds[i].pointer);
    uvow_protocol_t *made = parse(text);
    assert_int_equal(uvow__protocol_decode(made, finds[i].message,
                                           strlen(finds[i].message), &msg),
                     0);
    assert_int_equal(msg.kind, UVOW__MSG_EVENT);
    assert_true(uvow__slice_is(msg.name, "\"found\""));
    uvow_protocol_unref(made);
  }
}

/* What is answered, and what isn't: a control without a reply has none. */
TEST_CASE(controls) {
  static const struct {
    const char *rule, *reply; /* NULL: there's none */
  } asked[] = {
      {"\"id\":\"/p\",\"reply\":{\"a\":\"$id\"}", "{\"a\":1}"},
      {"\"id\":\"/p\",\"reply\":{\"a\":\"$id!\"}", "{\"a\":1}"},
      {"\"value\":\"/v\",\"reply\":{\"a\":1,\"b\":\"$value\"}", "{\"a\":1}"},
      {"\"value\":\"/v\",\"reply\":{\"a\":1,\"b\":\"$value!\"}", NULL},
      {"\"reply\":{\"a\":1,\"b\":\"$data\"}", "{\"a\":1}"},
      {"\"id\":\"/p\"", NULL},
  };
  for (size_t i = 0; i < UVOW__COUNT(asked); i++) {
    char text[300];
    uvow__msg_t msg;
    uvow__buf_t out;
    snprintf(
        text, sizeof(text),
        "{\"name\":\"n\",\"rules\":[{\"is\":\"control\",\"when\":{\"/p\":true},"
        "%s}]}",
        asked[i].rule);
    uvow_protocol_t *made = parse(text);
    assert_int_equal(uvow__protocol_decode(made, "{\"p\":1}", 7, &msg), 0);
    assert_int_equal(msg.kind, UVOW__MSG_CONTROL);
    uvow__buf_init(&out, &uvow__mem_default, 1000);
    if (uvow__protocol_control(made, &msg, &out) !=
        (asked[i].reply ? 0 : UVOW_EINVAL))
      fail_msg("%s", asked[i].rule);
    assert_int_equal(uvow__buf_append(&out, "", 1), 0);
    assert_string_equal((const char *)uvow__buf_front(&out),
                        asked[i].reply ? asked[i].reply : "");
    uvow__buf_done(&out);
    uvow_protocol_unref(made);
  }
}

/* Two rules may ask the same place in two ways; an error may be about no
 * request; a prefix may be empty. */
TEST_CASE(can_work) {
  static const char *const texts[] = {
      "{\"name\":\"n\",\"rules\":[{\"when\":{\"/a\":{\"prefix\":\"x\"}},\"is\":"
      "\"ignore\"},{\"when\":{\"/a\":{\"suffix\":\"x\"}},\"is\":\"event\","
      "\"name\":\"/a\"}]}",
      "{\"name\":\"n\",\"rules\":[{\"when\":{\"/e\":true},\"is\":\"error\"},"
      "{\"is\":\"event\",\"name\":\"/a\"}]}",
      "{\"name\":\"n\",\"ids\":\"text\",\"id_prefix\":\"\",\"rules\":[{\"is\":"
      "\"event\",\"name\":\"/a\"}]}",
      "{\"name\":\"n\",\"rules\":[{\"is\":\"event\",\"name\":\"/"
      "a\"}],\"open\":[{"
      "\"expect\":{\"/a\":1},\"pick\":{\"\":\"/b\"}}]}"};
  for (size_t i = 0; i < UVOW__COUNT(texts); i++)
    uvow_protocol_unref(parse(texts[i]));
}

TEST_CASE(nothing_is_no_description) {
  uvow_error_t *error = NULL;
  assert_null(uvow_protocol_parse(NULL, 5, &error));
  assert_int_equal(uvow_error_code(error), UVOW_EPROTOCOL);
  uvow_error_unref(error);
}

TEST_MODULE(reads) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(by_templates_or_by_rules),
      cmocka_unit_test(places),
      cmocka_unit_test(controls),
      cmocka_unit_test(can_work),
      cmocka_unit_test(nothing_is_no_description),
  };
  return cmocka_run_group_tests_name("protocol/reads", tests, NULL, NULL);
}
