/*
 * Descriptions at their bounds: as many pieces and places as there may be, one
 * more in each construct that takes one, and without memory at each step.
 */
#include "support/described_cases.h"
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include <uvow/error.h>
#include <uvow/protocol.h>

#include "protocol/parse.h"

#define ROOM 65536
#define BEGIN                                                                  \
  "{\"name\":\"n\",\"call\":{\"id\":\"$id\"},"                                 \
  "\"rules\":[{\"is\":\"ok\",\"id\":\"/id\"}],"
#define OPEN BEGIN "\"open\":["

typedef struct text {
  char text[ROOM];
  size_t len;
} text_t;

static void add(text_t *to, const char *text) {
  size_t len = strlen(text);
  assert_true(to->len + len < ROOM);
  memcpy(to->text + to->len, text, len + 1);
  to->len += len;
}

/* Whether it can be parsed; if not, that's what is said of it. */
static int parses(const text_t *text, const char *why) {
  uvow_error_t *error = NULL;
  uvow_protocol_t *made = uvow_protocol_parse(text->text, text->len, &error);
  int good = made != NULL;
  if (!made && !strstr(uvow_error_message(error), why))
    fail_msg("%s\n  %s", text->text, uvow_error_message(error));
  uvow_error_unref(error);
  uvow_protocol_unref(made);
  return good;
}

/* Behind so many fillers: up to some it can be, and with all above it can't. */
static void check_bound(const char *head, const char *filler, const char *last,
                        const char *tail, const char *why) {
  static text_t text;
  int good = 1;
  for (int n = 0; n <= 70; n++) {
    char one[100];
    text.len = 0;
    add(&text, head);
    for (int i = 0; i < n; i++) {
      snprintf(one, sizeof(one), filler, i);
      add(&text, one);
    }
    add(&text, last);
    add(&text, tail);
    int now = parses(&text, why);
    assert_false(now && !good);
    assert_true(now || n);
    good = now;
  }
  assert_false(good);
}

static const char *const messages[] = {
    "\"z\":\"$params\"",
    "\"z\":{\"a\":\"$v?\",\"b\":\"$v?\"}",
    "\"z\":{\"a\":[],\"b\":{}}",
    "\"z\":[1,\"$v?\"]",
    "\"z\":[\"$v?\",\"$v?\",2,{\"a\":\"$v\"}]",
    "\"z\":[\"$v?\",[\"$v?\"]]",
    "\"z\":{\"k\":1,\"$merge\":\"$params\",\"b\":2}",
    "\"z\":\"a text that is longer than what one piece of a message holds, by "
    "so much that it takes another one, and one more\"",
    "\"a name that is longer than what one piece of a message holds, by so "
    "much that it takes another one, and one more\":1",
    "\"z\":[\"$args\",\"$object\",\"$kwargs\",\"$traceparent\"]",
    "\"a name that is longer than what one piece of a message holds, by so "
    "much that it takes another one, and one more\":\"$v!\"",
    "\"z\":{\"k\":1,\"a\":\"$v?\"}",
    "\"z\":[[],\"$v?\"]",
};

TEST_CASE(pieces) {
  for (size_t i = 0; i < UVOW__COUNT(messages); i++) {
    check_bound(BEGIN "\"notify\":{", "\"a%d\":\"$v\",", messages[i], "}}",
                "a message of more than 64 pieces");
    check_bound(OPEN "{\"send\":{", "\"a%d\":\"$v\",", messages[i], "}}]}",
                "a message of more than 64 pieces");
  }
}

static const char *const rules[] = {
    "\"is\":\"ok\",\"id\":\"/id\"",
    "\"is\":\"error\",\"id\":\"/id\",\"code\":\"/e/code\"",
    "\"is\":\"error\",\"id\":\"/id\",\"message\":\"/e/1/message\"",
    "\"is\":\"ok\",\"id\":\"/id\",\"session\":{\"s\":\"/s\"}",
    "\"is\":\"ok\",\"id\":\"/id\",\"value\":\"/a/b/c\"",
};

static const char *const steps[] = {
    "\"expect\":{\"/z\":1},\"pick\":{\"a\":\"/p/1\"}",
    "\"expect\":{\"/z\":1},\"same\":{\"a?\":\"/p/2\"}",
    "\"expect\":{\"/z\":1},\"refuse\":{\"/y\":2},\"message\":\"/x\"",
    "\"expect\":{\"/z\":1},\"meanwhile\":[{\"when\":{\"/u\":1},\"send\":{},"
    "\"pick\":{\"b\":\"/b\"}}]",
};

/* The first rule looks at so many places; then comes what needs one more. */
static void check_places(const char *rule, const char *step) {
  char tail[500];
  snprintf(tail, sizeof(tail), "%s}],\"open\":[{%s}]}", rule, step);
  check_bound(
      "{\"name\":\"n\",\"call\":{\"id\":\"$id\"},\"rules\":[{\"is\":"
      "\"ok\",\"id\":\"/id\",\"when\":{",
      "\"/p%d\":true,", "\"/q\":true}},{\"when\":{\"/r\":1},", tail,
      "more than 62 places");
}

TEST_CASE(places) {
  for (size_t i = 0; i < UVOW__COUNT(rules); i++)
    check_places(rules[i], "\"send\":{}");
  for (size_t i = 0; i < UVOW__COUNT(steps); i++)
    check_places(rules[0], steps[i]);
}

static void sweep(test_alloc_t *alloc, void *data) {
  const text_t *text = (const text_t *)data;
  uvow_error_t *error = NULL;
  uvow_protocol_t *made =
      uvow__protocol_parse(&alloc->allocator, text->text, text->len, &error);
  if (!made)
    assert_int_equal(uvow_error_code(error), UVOW_ENOMEM);
  assert_true(made || alloc->failed);
  uvow_error_unref(error);
  uvow_protocol_unref(made);
}

/* Each file that there is, and each built-in one as the base of another. */
TEST_CASE(without_memory) {
  static const char *const built_in[] = {"callback_id",
                                         "cdp",
                                         "webdriver_bidi",
                                         "obs5",
                                         "graphql_transport_ws",
                                         "lsp",
                                         "home_assistant",
                                         "jsonrpc2",
                                         "wamp2",
                                         "mcp",
                                         "phoenix2"};
  static text_t text;
  for (size_t i = 0; i < described_count; i++) {
    text.len = described_text("examples", described_cases[i].name, text.text,
                              sizeof(text.text));
    test_alloc_sweep(sweep, &text);
  }
  for (size_t i = 0; i < UVOW__COUNT(built_in); i++) {
    text.len = 0;
    add(&text, "{\"name\":\"n\",\"base\":\"");
    add(&text, built_in[i]);
    add(&text, "\",\"liberal\":{\"null_error\":false,\"null_params\":false}}");
    test_alloc_sweep(sweep, &text);
  }
}

/* Names of every length: so each of what a message is made of comes where there
 * is no more room. Nobody needs the error. */
static void sweep_untold(test_alloc_t *alloc, void *data) {
  const text_t *text = (const text_t *)data;
  uvow_protocol_t *made =
      uvow__protocol_parse(&alloc->allocator, text->text, text->len, NULL);
  assert_true(made ? 1 : alloc->failed);
  uvow_protocol_unref(made);
}

TEST_CASE(without_memory_anywhere) {
  static const char *const parts[] = {
      "\"%.*s\":1", "\"z\":[1,\"%.*s\",2,\"$v\",[]]",
      "\"%.*s\":{},\"%.*s\":\"$v?\"", "\"z\":\"%.*s\",\"e\":\"$error\""};
  static text_t text;
  char name[251];
  memset(name, 'n', sizeof(name));
  for (size_t i = 0; i < UVOW__COUNT(parts); i++)
    for (int len = 225; len < 250; len++) {
      char part[600];
      snprintf(part, sizeof(part), parts[i], len, name, 5, name);
      text.len = 0;
      add(&text, BEGIN "\"notify\":{");
      add(&text, part);
      add(&text,
          "},\"open\":[{\"expect\":{\"/a\":1},\"meanwhile\":[{\"when\":"
          "{\"/b\":1},\"send\":{\"c\":1}}]}]}");
      test_alloc_sweep(sweep_untold, &text);
    }
}

/* What a server needs of a description, in the order in which it's missed. */
TEST_CASE(what_a_server_lacks) {
  static const struct {
    const char *rule;
    const char *members;
    const char *lacks;
  } rows[] = {
      {"", "\"batches\":false", "reply, or partial and end"},
      {"", "\"partial\":{\"id\":\"$id\"}", "reply, or partial and end"},
      {"", "\"partial\":{\"id\":\"$id\"},\"end\":{\"id\":\"$id\",\"e\":1}",
       "reply_error"},
      {"", "\"reply\":{\"id\":\"$id\"}", "reply_error"},
      {"",
       "\"reply\":{\"id\":\"$id\"},\"reply_error\":{\"id\":\"$id\",\"e\":1}",
       "a rule for calls"},
      {",{\"when\":{\"/m\":true},\"is\":\"call\",\"id\":\"/id\",\"name\":\"/"
       "m\"}",
       "\"reply\":{\"id\":\"$id\"},\"reply_error\":{\"id\":\"$id\",\"e\":1}",
       NULL},
  };
  for (size_t i = 0; i < UVOW__COUNT(rows); i++) {
    char text[600];
    snprintf(text, sizeof(text),
             "{\"name\":\"n\",\"call\":{\"id\":\"$id\",\"m\":\"$method\"},"
             "\"rules\":[{\"is\":\"ok\",\"id\":\"/id\",\"when\":{\"/m\":false}}"
             "%s],%s}",
             rows[i].rule, rows[i].members);
    uvow_error_t *error = NULL;
    uvow_protocol_t *made = uvow_protocol_parse(text, strlen(text), &error);
    if (!made)
      fail_msg("%s\n  %s", text, uvow_error_message(error));
    const char *lacks = uvow__protocol_lacks(made);
    assert_string_equal(lacks ? lacks : "", rows[i].lacks ? rows[i].lacks : "");
    uvow_protocol_unref(made);
  }
}

/* A message that is nested deeper than anything that is read. */
TEST_CASE(what_is_too_deep) {
  static char text[3000];
  const uvow_protocol_t *protocol = uvow_protocol_by_name("jsonrpc2");
  uvow__msg_t msg;
  uvow__buf_t out;
  memset(text, '[', sizeof(text));
  memcpy(text, "{\"id\":1,\"result\":", 17);
  (void)uvow__protocol_decode(protocol, text, sizeof(text), &msg);
  assert_int_equal(msg.kind, UVOW__MSG_MALFORMED);
  assert_string_equal(uvow__fault_text((uvow__fault_t)msg.fault),
                      "nested deeper than 2048 levels");
  uvow__buf_init(&out, &uvow__mem_default, 100);
  assert_int_equal(uvow__protocol_control(protocol, &msg, &out), UVOW_EINVAL);
  uvow__buf_done(&out);
}

TEST_MODULE(bounds) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pieces),
      cmocka_unit_test(places),
      cmocka_unit_test(without_memory),
      cmocka_unit_test(what_a_server_lacks),
      cmocka_unit_test(what_is_too_deep),
      cmocka_unit_test(without_memory_anywhere),
  };
  return cmocka_run_group_tests_name("protocol/bounds", tests, NULL, NULL);
}
