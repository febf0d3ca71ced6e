/*
 * Descriptions that can't work: each fault that there is, the line and column of
 * it, and why. Those of rules that can't be told apart are in parse.c.
 */
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include <uvow/error.h>
#include <uvow/protocol.h>

#define BEGIN "{\"name\":\"n\",\"call\":{\"id\":\"$id\"},\n\"rules\":["
#define OK_RULE "{\"is\":\"ok\",\"id\":\"/id\"}"
#define WHOLE(members) BEGIN OK_RULE "],\n" members "}"
#define RULE(rule) BEGIN OK_RULE ",\n" rule "]}"
#define TEST(test) RULE("{\"is\":\"ignore\",\"when\":" test "}")
#define STEP(step) WHOLE("\"open\":[" step "]")
#define LONG "0a1234567890123456789012345678901234567890123456789"
#define A16 "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]"

static const struct {
  const char *text;
  const char *why; /* with its place */
} faults[] = {
    /* the whole */
    {WHOLE("\"liberal\":5"), "line 3, column 11: liberal: it's an object of"},
    {WHOLE("\"liberal\":{\"binary\":1}"),
     "line 3, column 21: liberal.binary: it's true or false"},
    {WHOLE("\"liberal\":{\"x\":true}"),
     "line 3, column 16: liberal.x: there's no such member here"},
    {WHOLE("\"params\":\"text\""),
     "line 3, column 10: params: params are any, object, array or structured"},
    {WHOLE("\"subprotocol\":5"),
     "line 3, column 15: subprotocol: \"subprotocol\" is text"},
    {WHOLE("\"ids\":5"), "line 3, column 7: ids: \"ids\" is text"},
    {WHOLE("\"ids\":\"text\",\"id_prefix\":\"a b\""),
     "line 3, column 26: id_prefix: a prefix has up to 64 letters"},
    {"{\"name\":\"n\",\"call\":{\"id\":\"$id\"},\"rules\":5}",
     "line 1, column 41: rules: rules are an array"},
    {"{\"name\":\"n\",\"base\":\"lps\"}",
     "line 1, column 20: base: no built-in protocol has this name"},
    {WHOLE("\"params\":5"), "line 3, column 10: params: \"params\" is text"},
    {WHOLE("\"closes\":{\"early\":1,\"twice\":1}"),
     "line 3, column 19: closes.early: a close code is 1000 to 4999"},
    {WHOLE("\"closes\":{\"malformed\":1}"), "closes.malformed: a close code"},
    {WHOLE("\"closes\":{\"again\":1}"), "closes.again: a close code is"},
    {WHOLE("\"closes\":{\"again\":4401}"),
     "line 3, column 10: closes: without \"accept\", nobody is early"},
    /* rules */
    {RULE("{\"is\":\"call\",\"id\":5,\"name\":6}"), /* the first one */
     "line 3, column 19: rules[1].id: \"id\" is text"},
    {RULE("{\"is\":\"event\",\"named\":5}"),
     "line 3, column 23: rules[1].named: \"named\" is text"},
    {RULE("5"), "line 3, column 1: rules[1]: a rule is an object"},
    {RULE("{\"is\":\"event\",\"name\":\"/n\",\"x\":1}"),
     "line 3, column 31: rules[1].x: there's no such member here"},
    {RULE("{\"is\":\"event\",\"name\":5}"),
     "line 3, column 22: rules[1].name: \"name\" is text"},
    {RULE("{\"is\":\"call\",\"id\":\"/i\"}"),
     "line 3, column 1: rules[1]: a rule of kind call needs \"name\""},
    {RULE("{\"is\":\"cancel\"}"),
     "rules[1]: a rule of kind cancel needs \"id\""},
    {RULE("{\"is\":\"event\",\"named\":\"a\\\"b\"}"),
     "\"named\" is plain text, instead of \"name\""},
    {RULE("{\"is\":\"event\",\"named\":\"a\",\"name\":\"/n\"}"),
     "\"named\" is plain text, instead of \"name\""},
    {RULE("{\"is\":\"event\",\"name\":\"/n\",\"session\":5}"),
     "rules[1].session: a session is {\"variable\": \"/pointer\"}"},
    {RULE("{\"is\":\"event\",\"name\":\"/n\",\"session\":{\"a\":\"/a\",\"b\":"
          "\"/b\",\"c\":\"/c\"}}"),
     "rules[1].session: a session has at most 2 variables"},
    {RULE("{\"is\":\"event\",\"name\":\"/1/2/3/4/5/6/7/8/9/1/2/3/4/5/6/7/8/"
          "9\"}"),
     "pointers are at most"},
    {RULE("{\"when\":{\"/error\":true},\"is\":\"error\",\"id\":\"/id\"}"),
     "line 3, column 1: rules[1]: error can't be told from ok: with its id, "
     "whatever fits this rule fits rule 0 first"},
    {RULE("{\"when\":{\"/0\":1},\"is\":\"event\",\"name\":\"/n\"}"),
     "line 3, column 1: rules[1]: nothing has both the member \"n\" and the "
     "element 0"},
    {RULE("{\"when\":{\"/a\":\"x\",\"/a/b\":1},\"is\":\"ignore\"}"),
     "rules[1]: what has the member \"b\" is an object"},
    {RULE("{\"when\":{\"/a\":{\"type\":\"object\"},\"/a/0\":1},\"is\":"
          "\"ignore\"}"),
     "rules[1]: what has the element 0 is an array"},
    /* tests */
    {TEST("5"), "line 3, column 23: rules[1].when: tests are an object"},
    {TEST("{\"\":true}"), "the whole message can't be tested"},
    {TEST("{\"/a\":{\"prefix\":5}}"), "prefix is text"},
    {TEST("{\"/a\":{\"type\":[]}}"), "no type at all never fits"},
    {TEST("{\"/a\":{\"x\":1}}"),
     "rules[1].when./a.x: there's no such member here"},
    {TEST("{\"/a\":[1]}"), "only text, integers, null, true and false can"},
    {TEST("{\"/a\":{\"type\":\"number\",\"prefix\":\"x\"}}"),
     "no message can have what is asked for here"},
    {TEST("{\"/a\":{}}"), "a test says suffix, prefix, type or is"},
    {TEST("{\"/a\":{\"is\":[]}}"), "only text, integers, null, true and"},
    {TEST("{\"/a\":{\"type\":5}}"), "a type is null, true, false, boolean"},
    {TEST("{\"/a\":{\"type\":[\"number\",5]}}"), "a type is null, true, false"},
    {TEST("{\"/64\":1}"), "elements are looked for up to number 63"},
    {TEST("{\"/99999999999999999999\":1}"), "up to number 63"},
    {TEST("{\"/01\":1}"), "elements are looked for up to number 63"},
    {TEST("{\"/a~2\":1}"), "in a JSON Pointer, ~ is written ~0, and / ~1"},
    {TEST("{\"/a~\":1}"), "in a JSON Pointer, ~ is written ~0, and / ~1"},
    {TEST("{\"/a\\\"\":1}"), "no name with quotes, backslashes"},
    {TEST("{\"/a\\\\\":1}"), "no name with quotes, backslashes"},
    {TEST("{\"/a\\n\":1}"), "no name with quotes, backslashes"},
    {TEST("{\"/" LONG LONG LONG LONG LONG LONG "\":1}"),
     "no name with quotes, backslashes"},
    {RULE("{}"), "rules[1]: \"is\" is missing"},
    {RULE("{\"is\":\"event\",\"name\":\"n\"}"), "it begins with /"},
    {RULE("{\"is\":\"call\",\"name\":\"/n\"}"),
     "a rule of kind call needs \"id\""},
    {RULE("{\"is\":\"event\",\"name\":\"\"}"),
     "a rule of kind event needs \"name\""},
    {RULE("{\"is\":\"event\",\"name\":\"/n\",\"half\":5}"),
     "rules[1].half: it's true or false"},
    {RULE("{\"is\":\"event\",\"name\":\"/n\",\"half\":true}"),
     "rules[1].half: halves of an answer are ok or error, and end"},
    /* messages */
    {WHOLE("\"notify\":{\"a\":1,\"$merge\":\"$params\",\"" LONG LONG LONG LONG
               LONG LONG "\":1}"),
     "beside $merge, names are plain"},
    {WHOLE("\"notify\":{\"" LONG "\":{\"" LONG "\":{\"" LONG "\":{\"" LONG
           "\":{\"m\":\"x-$id\"}}}}}"),
     "line 3, column 175: notify.0a12345678901234567890123456789012345678."
     "0a12345678901234567890123456789012345678."
     "0a12345678901234567890123456789012345678: nothing stands for $id"},
    {WHOLE("\"notify\":{\"m\":" A16 "}"),
     "messages are at most 16 levels deep"},
    {WHOLE("\"notify\":{\"a\":1,\"$merge\":\"$value\"}"),
     "\"$merge\" is \"$params\""},
    {WHOLE("\"notify\":{\"a\":1,\"$merge\":5}"), "\"$merge\" is \"$params\""},
    {WHOLE("\"notify\":{\"a\\\\b\":1,\"$merge\":\"$params\"}"),
     "beside $merge, names are plain"},
    {WHOLE("\"notify\":{\"$merge\":\"$params\"}"),
     "line 3, column 20: notify.$merge: beside $merge, another member is "
     "needed"},
    {WHOLE("\"notify\":{\"a\\\"\":1,\"$merge\":\"$params\"}"),
     "beside $merge, names are plain"},
    {WHOLE("\"notify\":{\"m\":1,\"a_name_of_more_than_thirty_bytes\":\"$"
           "params\"}"),
     "a member that may be left out has a name of at most"},
    {WHOLE("\"notify\":{\"m\":\"x-$method\"}"),
     "line 3, column 15: notify.m: nothing stands for $method within a text"},
    {WHOLE("\"cancel\":{\"m\":1}"),
     "line 3, column 10: cancel: without $id, no answer can be told"},
    /* steps */
    {WHOLE("\"open\":5"), "line 3, column 8: open: opening steps are an array"},
    {WHOLE("\"accept\":5"),
     "line 3, column 10: accept: opening steps are an array"},
    {STEP("{\"expect\":{}}"),
     "line 3, column 19: open[0].expect: without tests, any message would do"},
    {STEP("{\"send\":{\"a\":1},\"expect\":{\"/a\":1}}"),
     "a step has \"send\", or \"expect\""},
    {STEP("{\"expect\":{\"/a\":1},\"pick\":5}"),
     "what is picked is {\"variable\": \"/pointer\"}"},
    {STEP("{\"expect\":{\"/a\":1},\"pick\":{\"a\":\"/a\",\"b\":\"/b\",\"c\":"
          "\"/c\",\"d\":\"/d\",\"e\":\"/e\"}}"),
     "a step picks at most 4 values"},
    {STEP("{\"expect\":{\"/a\":1},\"make\":5}"),
     "line 3, column 35: open[0].make: \"make\" is text"},
    {STEP("{\"expect\":{\"/a\":1},\"pick\":{\"a\":5}}"),
     "line 3, column 40: open[0].pick.a: \"a\" is text"},
    {STEP("{\"expect\":{\"/a\":1},\"make\":\"x\"}"),
     "what is made is \"obs5\", \"obs5_asks\" or \"wampcra\""},
    {STEP("{\"expect\":{\"/a\":1},\"close\":5}"),
     "open[0].close: a close code is 1000 to 4999"},
    {STEP("{\"expect\":{\"/a\":1},\"late\":1006}"),
     "open[0].late: a close code is 1000 to 4999"},
    {STEP("{\"send\":{\"a\":1},\"pick\":{\"a\":\"/a\"}}"),
     "open[0].pick: only a step that expects something has this"},
    {STEP("{\"expect\":{\"/a\":1},\"meanwhile\":[]}"),
     "open[0].meanwhile: it's an array of 1 to 8 messages"},
    {STEP("{\"expect\":{\"/a\":1},\"meanwhile\":[{\"when\":{\"/b\":1}}]}"),
     "open[0].meanwhile[0]: it has \"when\", and \"send\""},
    {STEP("{\"expect\":{\"/a\":1},\"same\":{\"a\":\"/a\",\"b\":\"/b\"}}"),
     "open[0].same: it's {\"variable\": \"/pointer\"}"},
    {STEP("{\"expect\":{\"/a\":1},\"otherwise\":5}"),
     "open[0].otherwise: a message is an object, or an array"},
    {WHOLE("\"accept\":[{\"expect\":{\"/a\":1},\"ask\":true},"
           "{\"expect\":{\"/b\":1},\"ask\":true}]"),
     "line 3, column 10: accept: at most one step has \"ask\""},
    {WHOLE("\"closes\":4400"), "line 3, column 10: closes: it's an object of"},
    {WHOLE("\"closes\":{\"wrong\":4400}"),
     "line 3, column 19: closes.wrong: there's no such member here"},
    {WHOLE("\"closes\":{\"twice\":1006}"),
     "line 3, column 19: closes.twice: a close code is 1000 to 4999"},
    {WHOLE("\"closes\":{\"final\":4400}"),
     "line 3, column 19: closes.final: it's an array of at most 12"},
    {WHOLE("\"closes\":{\"final\":[4000,1,2,3,4,5,6,7,8,9,10,11,12]}"),
     "line 3, column 19: closes.final: it's an array of at most 12"},
    {WHOLE("\"closes\":{\"final\":[4000,\"4001\"]}"),
     "line 3, column 25: closes.final[1]: a close code is 1000 to 4999"},
    {WHOLE("\"closes\":{\"early\":4401}"),
     "line 3, column 10: closes: without \"accept\", nobody is early"},
    {STEP("{\"expect\":{\"/a\":1},\"meanwhile\":[5]}"),
     "open[0].meanwhile[0]: it has \"when\", and \"send\""},
    {STEP("{\"expect\":{\"/a\":1},\"meanwhile\":[{\"send\":{}}]}"),
     "open[0].meanwhile[0]: it has \"when\", and \"send\""},
    {STEP("{\"expect\":{\"/a\":1},\"meanwhile\":{}}"),
     "open[0].meanwhile: it's an array of 1 to 8 messages"},
    {STEP("{\"expect\":{\"/a\":1},\"meanwhile\":[1,2,3,4,5,6,7,8,9]}"),
     "open[0].meanwhile: it's an array of 1 to 8 messages"},
    {STEP("{\"expect\":{\"/a\":1},\"meanwhile\":[{\"when\":{\"/b\":1},"
          "\"send\":{},\"x\":1}]}"),
     "open[0].meanwhile[0].x: there's no such member here"},
    {STEP("{\"expect\":{\"/a\":1},\"meanwhile\":[{\"when\":{\"/b\":1},"
          "\"send\":5}]}"),
     "meanwhile[0].send: a message is an object, or an array"},
    {STEP("{\"expect\":{\"/a\":1},\"meanwhile\":[{\"when\":{\"/b\":1},"
          "\"send\":{},\"pick\":5}]}"),
     "meanwhile[0].pick: what is picked is"},
    {STEP("{\"expect\":{\"/a\":1},\"meanwhile\":[{\"when\":{\"/b\":1},"
          "\"send\":{},\"make\":\"x\"}]}"),
     "what is made is \"obs5\""},
    {STEP("{\"expect\":{\"/a\":1},\"same\":{\"a\":\"a\"}}"),
     "it begins with /"},
    {STEP("{\"expect\":{\"/a\":1},\"x\":1}"),
     "open[0].x: there's no such member here"},
    {STEP("{\"send\":{},\"make\":\"x\"}"), "what is made is \"obs5\""},
    {STEP("{\"send\":5}"), "open[0].send: a message is an object, or an array"},
    {STEP("5"), "open[0]: a step has \"send\", or \"expect\""},
    {STEP("{}"), "open[0]: a step has \"send\", or \"expect\""},
    {STEP("{\"expect\":5}"),
     "open[0].expect: without tests, any message would do"},
    {STEP("{\"expect\":{\"/a\":1},\"refuse\":5}"),
     "open[0].refuse: without tests, any message would do"},
    {WHOLE("\"heartbeat\":{\"every_ms\":0,\"call\":\"p\"}"),
     "heartbeat: \"every_ms\" is a number of milliseconds"},
    {WHOLE("\"heartbeat\":{\"every_ms\":4294967296,\"call\":\"p\"}"),
     "heartbeat: \"every_ms\" is a number of milliseconds"},
    {WHOLE("\"heartbeat\":{\"every_ms\":\"5\",\"call\":\"p\"}"),
     "heartbeat: \"every_ms\" is a number of milliseconds"},
    {WHOLE("\"heartbeat\":{\"every_ms\":5,\"call\":\"p\",\"send\":{}}"),
     "heartbeat: a heartbeat has \"call\", or \"send\""},
    {WHOLE("\"heartbeat\":{\"every_ms\":5,\"send\":5}"),
     "heartbeat.send: a message is an object, or an array"},
    {WHOLE("\"heartbeat\":{\"every_ms\":5}"),
     "line 3, column 13: heartbeat: a heartbeat has \"call\", or \"send\""},
    {WHOLE("\"heartbeat\":{\"every_ms\":5,\"call\":\"p\",\"x\":1}"),
     "heartbeat.x: there's no such member here"},
};

TEST_CASE(each_is_told) {
  int wrong = 0;
  for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
    uvow_error_t *error = NULL;
    if (uvow_protocol_parse(faults[i].text, strlen(faults[i].text), &error))
      fail_msg("can work: %s", faults[i].text);
    assert_int_equal(uvow_error_code(error), UVOW_EPROTOCOL);
    if (!strstr(uvow_error_message(error), faults[i].why) ||
        strncmp(uvow_error_message(error), "line ", 5) != 0) {
      fprintf(stderr, "%s\n  %s\n  %s\n", faults[i].text,
              uvow_error_message(error), faults[i].why);
      wrong++;
    }
    uvow_error_unref(error);
  }
  assert_int_equal(wrong, 0);
}

/* What they are made of can work. */
TEST_CASE(the_rest_can_work) {
  uvow_protocol_t *protocol = uvow_protocol_parse(
      WHOLE("\"batches\":true"), strlen(WHOLE("\"batches\":true")), NULL);
  assert_non_null(protocol);
  uvow_protocol_unref(protocol);
}

/* Whether it can work; if not, for this reason. */
static int can_work(const char *text, const char *why) {
  uvow_error_t *error = NULL;
  uvow_protocol_t *protocol = uvow_protocol_parse(text, strlen(text), &error);
  int can = protocol != NULL;
  if (!can && !strstr(uvow_error_message(error), why))
    fail_msg("%s: %s", why, uvow_error_message(error));
  uvow_error_unref(error);
  uvow_protocol_unref(protocol);
  return can;
}

TEST_CASE(close_codes) {
  static const int good[] = {1000, 1003, 1007, 1014, 3000, 4999};
  static const int bad[] = {-1, 999, 1004, 1005, 1006, 1015, 2999, 5000};
  char text[300];
  for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
    snprintf(text, sizeof(text), STEP("{\"expect\":{\"/a\":1},\"close\":%d}"),
             good[i]);
    assert_true(can_work(text, "none"));
  }
  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
    snprintf(text, sizeof(text), STEP("{\"expect\":{\"/a\":1},\"close\":%d}"),
             bad[i]);
    assert_false(can_work(text, "open[0].close: a close code is 1000"));
  }
}

/* As many as there may be, and one more. */
static int has_so_many(const char *before, const char *each, int count,
                       const char *after, const char *why) {
  char text[6000];
  size_t len = (size_t)snprintf(text, sizeof(text), "%s", before);
  for (int i = 0; i < count; i++) {
    len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", i ? "," : "");
    len += (size_t)snprintf(text + len, sizeof(text) - len, each, i);
  }
  snprintf(text + len, sizeof(text) - len, "%s", after);
  return can_work(text, why);
}

TEST_CASE(bounds) {
  static const char tests[] = BEGIN OK_RULE ",{\"is\":\"ignore\",\"when\":{";
  static const char notify[] = BEGIN OK_RULE "],\"notify\":[";
  const char *why = "a message of more than 64 pieces";
  int most = 64; /* with those of the brackets, fewer variables */
  assert_false(has_so_many(tests, "\"/m%d\":1", 33, "}}]}", "more than"));
  while (!has_so_many(notify, "\"$v%d\"", most, "]}", why))
    most--;
  assert_true(most > 50);
  assert_false(has_so_many(notify, "\"$v%d\"", most + 1, "]}", why));
}

TEST_MODULE(faults) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_is_told),
      cmocka_unit_test(the_rest_can_work),
      cmocka_unit_test(close_codes),
      cmocka_unit_test(bounds),
  };
  return cmocka_run_group_tests_name("protocol/faults", tests, NULL, NULL);
}
