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
    /* rules */
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
    /* messages */
    {WHOLE("\"notify\":{\"m\":" A16 "}"),
     "messages are at most 16 levels deep"},
    {WHOLE("\"notify\":{\"a\":1,\"$merge\":\"$value\"}"),
     "\"$merge\" is \"$params\""},
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
    {WHOLE("\"closes\":4400"), "line 3, column 10: closes: it's an object of"},
    {WHOLE("\"closes\":{\"wrong\":4400}"),
     "line 3, column 19: closes.wrong: there's no such member here"},
    {WHOLE("\"closes\":{\"twice\":1006}"),
     "line 3, column 19: closes.twice: a close code is 1000 to 4999"},
    {WHOLE("\"closes\":{\"early\":4401}"),
     "line 3, column 10: closes: without \"accept\", nobody is early"},
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

TEST_MODULE(faults) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_is_told),
      cmocka_unit_test(the_rest_can_work),
  };
  return cmocka_run_group_tests_name("protocol/faults", tests, NULL, NULL);
}
