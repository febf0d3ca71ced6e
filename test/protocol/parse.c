/* Descriptions: what they compile to, and what is said of those that can't
 * work. */
#include "support/protocol_cases.h"

#include <uvow/protocol.h>

#include "protocol/parse.h"

#include <stdio.h>

static uvow_protocol_t *parse(const char *text) {
  uvow_error_t *error = NULL;
  uvow_protocol_t *made = uvow_protocol_parse(text, strlen(text), &error);
  if (!made)
    fail_msg("%s", uvow_error_message(error));
  return made;
}

/* JSON-RPC 2.0 as data: what the built-in one is compared with. */
static const char jsonrpc2[] =
    "{\"name\": \"described\", \"params\": \"structured\",\n"
    " \"call\": {\"jsonrpc\": \"2.0\", \"id\": \"$id\", \"method\": "
    "\"$method\", \"params\": \"$params\", \"traceparent\": "
    "\"$traceparent\"},\n"
    " \"notify\": {\"jsonrpc\": \"2.0\", \"method\": \"$method\", \"params\": "
    "\"$params\"},\n"
    " \"event\": {\"jsonrpc\": \"2.0\", \"method\": \"$method\", \"params\": "
    "\"$params\"},\n"
    " \"reply\": {\"jsonrpc\": \"2.0\", \"id\": \"$id\", \"result\": "
    "\"$value\"},\n"
    " \"reply_error\": {\"jsonrpc\": \"2.0\", \"id\": \"$id\", \"error\": "
    "\"$error\"},\n"
    " \"cancel\": {\"jsonrpc\": \"2.0\", \"method\": \"$/cancelRequest\", "
    "\"params\": {\"id\": \"$id\"}},\n"
    " \"partial\": {\"jsonrpc\": \"2.0\", \"method\": \"$/progress\", "
    "\"params\": {\"token\": \"$id\", \"value\": \"$value\"}},\n"
    " \"rules\": [\n"
    "  {\"when\": {\"/jsonrpc\": \"2.0\", \"/result\": true, \"/method\": "
    "false, \"/error\": false}, \"is\": \"ok\", \"id\": \"/id\", \"value\": "
    "\"/result\"},\n"
    "  {\"when\": {\"/jsonrpc\": \"2.0\", \"/error\": {\"type\": \"object\"}, "
    "\"/method\": false, \"/result\": false}, \"is\": \"error\", \"id\": "
    "\"/id\", \"code\": \"/error/code\", \"message\": \"/error/message\", "
    "\"data\": \"/error/data\"},\n"
    "  {\"when\": {\"/jsonrpc\": \"2.0\", \"/id\": true, \"/params\": "
    "{\"type\": [\"object\", \"array\"]}}, \"is\": \"call\", \"id\": \"/id\", "
    "\"name\": \"/method\", \"value\": \"/params\", \"traceparent\": "
    "\"/traceparent\"},\n"
    "  {\"when\": {\"/jsonrpc\": \"2.0\", \"/id\": true, \"/params\": false}, "
    "\"is\": \"call\", \"id\": \"/id\", \"name\": \"/method\", "
    "\"traceparent\": \"/traceparent\"},\n"
    "  {\"when\": {\"/jsonrpc\": \"2.0\", \"/id\": false}, \"is\": \"event\", "
    "\"name\": \"/method\", \"value\": \"/params\"}]}";

static const char *const messages[] = {
    "{\"jsonrpc\":\"2.0\",\"id\":123,\"result\":{\"x\":81}}",
    "{\"result\": -19, \"id\": 2, \"jsonrpc\": \"2.0\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":4,\"error\":{\"message\":\"m\",\"data\":[1,{}"
    "],\"code\":7}}",
    "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700}}",
    "{\"jsonrpc\":\"2.0\",\"method\":\"update\",\"params\":[1,2]}",
    "{\"jsonrpc\":\"2.0\",\"method\":\"foobar\"}",
    "{\"jsonrpc\":\"2.0\",\"method\":\"sum\",\"params\":{\"a\":1},\"id\":"
    "\"x\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"sum\",\"params\":[]}",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1,\"result\":2}",
    "{}",
    "",
};

static int same_slice(uvow__slice_t a, uvow__slice_t b) {
  return a.ptr == b.ptr && a.len == b.len;
}

/* The described one and the built-in one say the same, and templates the same
 * as rules. */
TEST_CASE(is_as_the_built_in_one) {
  const uvow_protocol_t *built_in = uvow_protocol_by_name("jsonrpc2");
  uvow_protocol_t *made = parse(jsonrpc2);
  for (size_t i = 0; i < UVOW__COUNT(messages); i++) {
    size_t len = strlen(messages[i]);
    uvow__msg_t a, b, c;
    int rc = uvow__protocol_decode(built_in, messages[i], len, &a);
    assert_int_equal(uvow__protocol_decode(made, messages[i], len, &b), rc);
    assert_int_equal(
        uvow__protocol_decode_by_rules(made, &made->ids, messages[i], len, &c),
        rc);
    assert_int_equal(a.kind, b.kind);
    assert_int_equal(a.kind, c.kind);
    assert_int_equal(a.id, b.id);
    assert_true(same_slice(a.raw_id, b.raw_id));
    assert_true(same_slice(a.name, b.name));
    assert_true(same_slice(a.value, b.value));
    if (rc == 0 && a.kind == UVOW__MSG_ERROR)
      assert_true(same_slice(a.error_data, b.error_data));
  }
  for (int kind = 0; kind < UVOW__OP_KINDS; kind++)
    assert_int_equal(made->templates[kind].reads,
                     built_in->templates[kind].reads);
  uvow_protocol_unref(made);
}

TEST_CASE(writes_as_the_built_in_one) {
  static const uvow__op_t ops[] = {
      {.kind = UVOW__OP_CALL, .id = 7, .method = S("m"), .params = S("[1]")},
      {.kind = UVOW__OP_CALL, .id = 7, .method = S("m")},
      {.kind = UVOW__OP_CALL, .id = 7, .method = S("m"), .traceparent = S("t")},
      {.kind = UVOW__OP_CALL, .id = 7, .method = S("m"), .params = S("5")},
      {.kind = UVOW__OP_NOTIFY, .method = S("m"), .params = S("{}")},
      {.kind = UVOW__OP_EVENT, .method = S("m")},
      {.kind = UVOW__OP_REPLY, .raw_id = S("\"x\"")},
      {.kind = UVOW__OP_REPLY, .raw_id = S("1"), .params = S("{}")},
      {.kind = UVOW__OP_REPLY_ERROR,
       .error_code = -1,
       .error_message = S("m"),
       .error_data = S("[]")},
      {.kind = UVOW__OP_CANCEL, .id = 9},
      {.kind = UVOW__OP_PARTIAL, .id = 9},
  };
  const uvow_protocol_t *built_in = uvow_protocol_by_name("jsonrpc2");
  uvow_protocol_t *made = parse(jsonrpc2);
  for (size_t i = 0; i < UVOW__COUNT(ops); i++) {
    uvow__buf_t a, b;
    uvow__buf_init(&a, &uvow__mem_default, 1000);
    uvow__buf_init(&b, &uvow__mem_default, 1000);
    int rc = uvow__protocol_encode(built_in, &ops[i], &a);
    assert_int_equal(uvow__protocol_encode(made, &ops[i], &b), rc);
    if (uvow__buf_size(&a) != uvow__buf_size(&b))
      fail_msg("%d: %.*s\n%.*s", (int)i, (int)uvow__buf_size(&a),
               (char *)uvow__buf_front(&a), (int)uvow__buf_size(&b),
               (char *)uvow__buf_front(&b));
    if (uvow__buf_size(&a))
      assert_memory_equal(uvow__buf_front(&a), uvow__buf_front(&b),
                          uvow__buf_size(&a));
    uvow__buf_done(&a);
    uvow__buf_done(&b);
  }
  uvow_protocol_unref(made);
}

/* All there is, in short: long names, many places, every test, variables. */
static const char wide[] =
    "{\"name\": \"wide\", \"ids\": \"text\", \"id_prefix\": \"req-\",\n"
    " \"call\": {\"head\": {\"a_name_of_more_than_fifteen_bytes\": \"$id\"},\n"
    "   \"method\": \"$method\", \"literal\": \"$$id\", \"x\": [\"$params\", "
    "1], \"token\": \"$token\", \"opt\": {\"only\": \"$other\"}},\n"
    " \"rules\": [\n"
    "  {\"when\": {\"/t\": {\"suffix\": \"_reply\"}}, \"is\": \"ok\",\n"
    "   \"id\": \"/parent/a_name_of_more_than_fifteen_bytes\", \"value\": "
    "\"/p/0/1\", \"session\": {\"s\": \"/s\", \"handle\": \"/h\"}},\n"
    "  {\"when\": {\"/t\": {\"prefix\": \"ev.\"}, \"/n\": 5, \"/z\": null}, "
    "\"is\": \"event\", \"name\": \"/t\", \"value\": \"\"},\n"
    "  {\"when\": {\"/f\": {\"is\": false}}, \"is\": \"end\", \"id\": \"/id\"},"
    "\n"
    "  {\"when\": {\"/f\": {\"type\": \"boolean\"}}, \"is\": \"partial\", "
    "\"id\": \"/id\", \"value\": \"/v\"},\n"
    "  {\"when\": {\"/c\": \"a\\\\b\\\"\"}, \"is\": \"cancel\", \"id\": "
    "\"/id\"},\n"
    "  {\"when\": {\"/ping\": true}, \"is\": \"control\", \"value\": "
    "\"/ping\", \"reply\": {\"pong\": \"yes\", \"with\": \"$value\"}},\n"
    "  {\"when\": {\"/e\": true}, \"is\": \"error\", \"id\": \"/id\", "
    "\"code\": \"/e\", \"message\": \"/m\"},\n"
    "  {\"when\": {\"/k1/a\": true, \"/k2/a\": true, \"/k3/a\": true, "
    "\"/k4/a\": true, \"/k5/a\": true, \"/k6/a\": true, \"/k7\": true}, "
    "\"is\": \"ignore\"}]}";

static const decode_case_t wide_cases[] = {
    {"{\"t\":\"x_reply\",\"parent\":{\"a_name_of_more_than_fifteen_bytes\":"
     "\"req-12\"},\"p\":[[0,{\"v\":1}]],\"s\":4,\"h\":5}",
     OK, 12, "\"req-12\"||{\"v\":1}|4||||"},
    {"{\"t\":\"x\\u005freply\",\"parent\":{\"a_name_of_more_than_fifteen_"
     "bytes\":\"req-1\"}}",
     OK, 1, "\"req-1\"|||||||"},
    /* a name that only begins, or only ends, as one that is looked for */
    {"{\"t\":\"x_reply\",\"parent\":{\"a_name_of_more_than_fifteen_byteX\":"
     "\"req-1\"}}",
     BAD, 0, NULL},
    {"{\"t\":\"x_reply\",\"parent\":{\"a_name_of_Xore_than_fifteen_bytes\":"
     "\"req-1\"}}",
     BAD, 0, NULL},
    {"{\"t\":\"x_reply_\",\"parent\":{\"a_name_of_more_than_fifteen_bytes\":"
     "\"req-1\"}}",
     BAD, 0, NULL},
    {"{\"t\":\"ev.x\",\"n\":5,\"z\":null}", EVENT, 0,
     "|\"ev.x\"|{\"t\":\"ev.x\",\"n\":5,\"z\":null}|||||"},
    {"{\"t\":\"ev\",\"n\":5,\"z\":null}", BAD, 0, NULL},
    {"{\"t\":\"ev.x\",\"n\":5.0,\"z\":null}", BAD, 0, NULL},
    {"{\"t\":\"ev.x\",\"n\":5}", BAD, 0, NULL},
    {"{\"f\":false,\"id\":\"req-3\"}", ENDED, 3, "\"req-3\"|||||||"},
    {"{\"f\":true,\"id\":\"req-3\",\"v\":[]}", PARTIAL, 3,
     "\"req-3\"||[]|||||"},
    {"{\"c\":\"a\\\\b\\u0022\",\"id\":9}", CANCEL, 0, "9|||||||"},
    {"{\"c\":\"a\\\\\\\\b\\\"\",\"id\":9}", BAD, 0, NULL},
    {"{\"ping\":{}}", CONTROL, 0, "||{}|||||"},
    {"{\"e\":\"no\",\"m\":\"why\",\"id\":\"req-2\"}", FAILED, 2,
     "\"req-2\"||||\"no\"|\"why\"||"},
    {"{\"e\":4,\"id\":null}", FAULT, 0, "null||||4|||"},
    {"{\"e\":4}", FAULT, 0, "||||4|||"},
    {"{\"k1\":{\"a\":1},\"k2\":{\"a\":1},\"k3\":{\"a\":1},\"k4\":{\"a\":1},"
     "\"k5\":{\"a\":1},\"k6\":{\"a\":1},\"k7\":1}",
     IGNORED, 0, "|||||||"},
    {"{\"k1\":{\"a\":1},\"k2\":{\"a\":1},\"k3\":{\"a\":1},\"k4\":{\"a\":1},"
     "\"k5\":{\"a\":1},\"k6\":{},\"k7\":1}",
     BAD, 0, NULL},
    /* ids that aren't of our form are nobody's */
    {"{\"f\":false,\"id\":3}", ENDED, 0, "3|||||||"},
    {"{\"f\":false,\"id\":\"3\"}", ENDED, 0, "\"3\"|||||||"},
    {"{\"f\":false,\"id\":\"req-\"}", ENDED, 0, "\"req-\"|||||||"},
    {"{\"f\":false,\"id\":\"req-0\"}", ENDED, 0, "\"req-0\"|||||||"},
    {"{\"f\":false,\"id\":\"req-03\"}", ENDED, 0, "\"req-03\"|||||||"},
    {"{\"f\":false,\"id\":\"req-3 \"}", ENDED, 0, "\"req-3 \"|||||||"},
    {"{\"f\":false,\"id\":\"reQ-3\"}", ENDED, 0, "\"reQ-3\"|||||||"},
    {"{\"f\":false,\"id\":\"req-9007199254740991\"}", ENDED,
     UINT64_C(9007199254740991), "\"req-9007199254740991\"|||||||"},
    {"{\"f\":false,\"id\":\"req-9007199254740992\"}", ENDED, 0,
     "\"req-9007199254740992\"|||||||"},
};

TEST_CASE(reads_what_is_described) {
  uvow_protocol_t *made = parse(wide);
  check_decodes(made, wide_cases, UVOW__COUNT(wide_cases));
  check_prefixes(made, wide_cases, UVOW__COUNT(wide_cases));
  assert_string_equal(made->sessions[0], "s");
  assert_string_equal(made->sessions[1], "handle");
  uvow_protocol_unref(made);
}

TEST_CASE(writes_what_is_described) {
  static const uvow__var_t vars[] = {{S("token"), S("\"old\"")},
                                     {S("token"), S("\"t\\u0001\"")}};
  static const encode_case_t cases[] = {
      {{.kind = UVOW__OP_CALL, .id = 5, .method = S("m")},
       "{\"head\":{\"a_name_of_more_than_fifteen_bytes\":\"req-5\"},\"method\":"
       "\"m\",\"literal\":\"$id\",\"x\":[null,1],\"opt\":{}}"},
      {{.kind = UVOW__OP_CALL,
        .id = 5,
        .method = S("m"),
        .params = S("true"),
        .vars = vars,
        .var_count = 2},
       "{\"head\":{\"a_name_of_more_than_fifteen_bytes\":\"req-5\"},\"method\":"
       "\"m\",\"literal\":\"$id\",\"x\":[true,1],\"opt\":{},"
       "\"token\":\"t\\u0001\"}"},
      {{.kind = UVOW__OP_CALL, .method = S("m")}, NULL},
      {{.kind = UVOW__OP_REPLY, .raw_id = S("1")}, NULL},
  };
  uvow_protocol_t *made = parse(wide);
  check_encodes(made, cases, UVOW__COUNT(cases));
  uvow_protocol_unref(made);
}

TEST_CASE(writes_control_answers) {
  static const char *const texts[][2] = {
      {"{\"ping\":[1]}", "{\"pong\":\"yes\",\"with\":[1]}"},
      {"{\"ping\":null}", "{\"pong\":\"yes\",\"with\":null}"}};
  uvow_protocol_t *made = parse(wide);
  for (size_t i = 0; i < 2; i++) {
    uvow__buf_t out;
    uvow__msg_t msg;
    uvow__buf_init(&out, &uvow__mem_default, 1000);
    assert_int_equal(
        uvow__protocol_decode(made, texts[i][0], strlen(texts[i][0]), &msg), 0);
    assert_int_equal(uvow__protocol_control(made, &msg, &out), 0);
    assert_int_equal(uvow__buf_append(&out, "", 1), 0);
    assert_string_equal((const char *)uvow__buf_front(&out), texts[i][1]);
    uvow__buf_done(&out);
  }
  uvow_protocol_unref(made);
}

/* A client of its own prefix: the others' ids are nobody's. */
TEST_CASE(tells_clients_apart) {
  uvow_protocol_t *made = parse(
      "{\"name\":\"r\",\"ids\":\"random\",\"call\":{\"id\":\"$id\"},"
      "\"rules\":[{\"is\":\"ok\",\"id\":\"/id\"}]}");
  uvow__ids_t ours = {UVOW__IDS_TEXT, 0, "ab-", 3};
  uvow__op_t op = {.kind = UVOW__OP_CALL, .id = 6, .ids = &ours};
  uvow__buf_t out;
  uvow__msg_t msg;
  uvow__buf_init(&out, &uvow__mem_default, 1000);
  assert_int_equal(made->ids.form, UVOW__IDS_RANDOM);
  assert_int_equal(uvow__protocol_encode(made, &op, &out), 0);
  assert_int_equal(uvow__protocol_decode_as(made, &ours,
                                            (const char *)uvow__buf_front(&out),
                                            uvow__buf_size(&out), &msg),
                   0);
  assert_int_equal(msg.id, 6);
  ours.prefix = "ac-";
  assert_int_equal(uvow__protocol_decode_as(made, &ours,
                                            (const char *)uvow__buf_front(&out),
                                            uvow__buf_size(&out), &msg),
                   0);
  assert_int_equal(msg.has_id, 0);
  uvow__buf_done(&out);
  uvow_protocol_unref(made);
}

/* One rule is added to a built-in protocol, and one is made strict. */
TEST_CASE(adds_to_a_base) {
  uvow_protocol_t *made = parse(
      "{\"name\":\"mopidy\",\"base\":\"jsonrpc2\",\"liberal\":{\"text_"
      "ids\":true,\"null_params\":false},\"rules\":[{\"when\":{"
      "\"/jsonrpc\":false},\"is\":\"event\",\"name\":\"/event\","
      "\"value\":\"\"}]}");
  static const decode_case_t cases[] = {
      {"{\"event\":\"volume_changed\",\"volume\":40}", EVENT, 0,
       "|\"volume_changed\"|{\"event\":\"volume_changed\",\"volume\":40}|||||"},
      {"{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":1}", OK, 1,
       "\"1\"||1|||||"},
      {"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":1}", OK, 7, "7||1|||||"},
      {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":5,\"message\":\"m\","
       "\"stack\":1}}",
       FAILED, 1, "1||||5|\"m\"|{\"code\":5,\"message\":\"m\",\"stack\":1}|"},
      {"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\",\"params\":null}",
       BAD_CALL, 7, "7|||||||"},
      {"{\"jsonrpc\":\"2.0\",\"method\":\"m\"}", EVENT, 0, "|\"m\"||||||"},
  };
  check_decodes(made, cases, UVOW__COUNT(cases));
  assert_true(uvow__protocol_can(made, UVOW__OP_CALL));
  assert_null(uvow__protocol_lacks(made));
  assert_int_equal(made->templates[UVOW__OP_REPLY].reads, UVOW__MSG_OK);
  uvow_protocol_unref(made);
}

/* Where a rule looks into what a template leaves open, rules read it. */
TEST_CASE(rules_come_before_templates) {
  uvow_protocol_t *made = parse(
      "{\"name\":\"progress\",\"base\":\"jsonrpc2\",\"rules\":[{\"when\":{"
      "\"/method\":\"$/progress\"},\"is\":\"partial\",\"id\":\"/params/"
      "token\",\"value\":\"/params/value\"},{\"when\":{\"/result\":"
      "\"later\"},\"is\":\"partial\",\"id\":\"/id\"}]}");
  static const decode_case_t cases[] = {
      {"{\"jsonrpc\":\"2.0\",\"method\":\"$/progress\",\"params\":{\"token\":7"
       ",\"value\":[1]}}",
       PARTIAL, 7, "7||[1]|||||"},
      {"{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{\"token\":7}}", EVENT,
       0, "|\"m\"|{\"token\":7}|||||"},
      {"{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":\"later\"}", PARTIAL, 3,
       "3|||||||"},
      {"{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":\"now\"}", OK, 3,
       "3||\"now\"|||||"},
  };
  check_decodes(made, cases, UVOW__COUNT(cases));
  for (int kind = 0; kind < UVOW__OP_KINDS; kind++)
    assert_int_equal(made->templates[kind].reads, kind == UVOW__OP_PARTIAL
                                                      ? UVOW__MSG_PARTIAL
                                                      : UVOW__MSG_MALFORMED);
  uvow_protocol_unref(made);
}

#define RULES(rules)                                                           \
  "{\"name\":\"n\",\"call\":{\"id\":\"$id\"},\n\"rules\":[" rules "]}"
#define OK_RULE "{\"is\":\"ok\",\"id\":\"/id\",\"when\":{\"/a\":true}}"

static const struct {
  const char *text;
  const char *why;
} hopeless[] = {
    {"", "line 1, column 1: "},
    {"{\"name\":\n }", "line 2, column 2: "},
    {"[]", "line 1, column 1: a description is a JSON object"},
    {"{\"name\":\"n\",\"name\":\"n\"}", "duplicate object key"},
    {"{}", "\"name\" is missing"},
    {"{\"name\":5}", "line 1, column 9: name: \"name\" is text"},
    {"{\"name\":\"n\",\n  \"rulez\": []}",
     "line 2, column 12: rulez: there's no such member"},
    {"{\"name\":\"n\"}", "nothing can be read"},
    {"{\"name\":\"n\",\"base\":\"x\"}", "no built-in protocol has this name"},
    {RULES("{\"is\":\"okay\",\"id\":\"/id\"}"),
     "line 2, column 16: rules[0].is: \"okay\" is no kind: ok, "},
    {RULES("{\"is\":\"ok\"}"),
     "line 2, column 10: rules[0]: a rule of kind ok needs \"id\""},
    {RULES(OK_RULE ",{\"is\":\"event\"}"), "kind event needs \"name\""},
    {RULES(OK_RULE ",{\"is\":\"event\",\"name\":\"/n\",\"id\":\"/id\",\"when\":"
                   "{\"/a\":true,\"/id\":true}}"),
     "rules[1]: event can't be told from ok: whatever fits this rule fits "
     "rule 0 first"},
    {RULES("{\"is\":\"ok\",\"id\":\"id\"}"), "is no JSON Pointer"},
    {RULES("{\"is\":\"ok\",\"id\":\"/a~2\"}"), "~ is written ~0"},
    {RULES("{\"is\":\"ok\",\"id\":\"/a\\\"\"}"), "no name with quotes"},
    {RULES("{\"is\":\"ok\",\"id\":\"/64\"}"), "up to number 63"},
    {RULES("{\"is\":\"ok\",\"id\":\"/id\",\"when\":{\"/id\":false}}"),
     "can't be what the tests make it"},
    {RULES("{\"is\":\"ok\",\"id\":\"/id\",\"when\":{\"/a\":1.5}}"),
     "only text, integers"},
    {RULES("{\"is\":\"ok\",\"id\":\"/id\",\"when\":{\"/a\":{\"type\":\"x\"}}}"),
     "rules[0].when./a: a type is"},
    {RULES("{\"is\":\"ok\",\"id\":\"/id\",\"reply\":{}}"),
     "only control messages have a reply"},
    {RULES("{\"is\":\"ignore\"}"), "no rule of kind ok or end"},
    {RULES("{\"is\":\"ok\",\"id\":\"/id\",\"half\":true}"),
     "the half of kind ok or error has no other half"},
    {RULES(OK_RULE ",{\"is\":\"end\",\"id\":\"/id\",\"half\":true}"),
     "the half of kind end has no other half"},
    {RULES("{\"is\":\"event\",\"name\":\"/n\",\"half\":true}"),
     "rules[0].half: halves of an answer are ok or error, and end"},
    {RULES("{\"is\":\"ok\",\"id\":\"/id\",\"half\":1}"), "it's true or false"},
    {"{\"name\":\"n\",\"rules\":[" OK_RULE "]}", "without \"call\""},
    {"{\"name\":\"n\",\"call\":{\"m\":\"$method\"},\"rules\":[" OK_RULE "]}",
     "line 1, column 20: call: without $id, no answer"},
    {"{\"name\":\"n\",\"call\":5,\"rules\":[" OK_RULE "]}",
     "a message is an object"},
    {"{\"name\":\"n\",\"ids\":\"uuid\"}", "number, text or random"},
    {"{\"name\":\"n\",\"ids\":\"text\",\"id_prefix\":\"a1\"}",
     "doesn't end with a digit"},
    {"{\"name\":\"n\",\"id_prefix\":\"a\"}", "have no prefix"},
    {"{\"name\":\"n\",\"liberal\":{\"null_error\":true}}", "without a base"},
    {"{\"name\":\"n\",\"call\":{\"id\":\"$id\"},\"open\":[{}],\"rules\":"
     "[" OK_RULE "]}",
     "a step has \"send\", or \"expect\""},
    {"{\"name\":\"n\",\"call\":{\"id\":\"$id\"},\"heartbeat\":{\"every_ms\":"
     "0,\"call\":\"x\"},\"rules\":[" OK_RULE "]}",
     "number of milliseconds"},
};

TEST_CASE(says_what_can_not_work) {
  for (size_t i = 0; i < UVOW__COUNT(hopeless); i++) {
    uvow_error_t *error = NULL;
    assert_null(uvow_protocol_parse(hopeless[i].text, strlen(hopeless[i].text),
                                    &error));
    assert_non_null(error);
    assert_int_equal(uvow_error_code(error), UVOW_EPROTOCOL);
    if (!strstr(uvow_error_message(error), hopeless[i].why))
      fail_msg("%s\n%s", hopeless[i].text, uvow_error_message(error));
    uvow_error_unref(error);
    assert_null(
        uvow_protocol_parse(hopeless[i].text, strlen(hopeless[i].text), NULL));
  }
}

/* Every cut of a description is refused, and none is read beyond. */
TEST_CASE(refuses_cuts) {
  for (size_t len = 0; len < sizeof(wide) - 1; len++) {
    char *copy = (char *)malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, wide, len);
    assert_null(uvow_protocol_parse(copy, len, NULL));
    free(copy);
  }
}

TEST_CASE(counts_owners) {
  uvow_protocol_t *made = parse(wide);
  uvow_protocol_t *built_in =
      (uvow_protocol_t *)(uintptr_t)uvow_protocol_by_name("jsonrpc2");
  assert_ptr_equal(uvow_protocol_ref(made), made);
  uvow_protocol_unref(made);
  assert_string_equal(uvow_protocol_name(made), "wide");
  uvow_protocol_unref(made);
  assert_ptr_equal(uvow_protocol_ref(built_in), built_in);
  uvow_protocol_unref(built_in);
  uvow_protocol_unref(built_in);
  assert_null(uvow_protocol_ref(NULL));
  uvow_protocol_unref(NULL);
}

static void sweep(test_alloc_t *alloc, void *data) {
  uvow_error_t *error = NULL;
  const char *text = (const char *)data;
  uvow_protocol_t *made =
      uvow__protocol_parse(&alloc->allocator, text, strlen(text), &error);
  if (!made)
    assert_int_equal(uvow_error_code(error), UVOW_ENOMEM);
  uvow_error_unref(error);
  uvow_protocol_unref(made);
}

TEST_CASE(survives_no_memory) {
  static const char based[] =
      "{\"name\":\"b\",\"base\":\"cdp\",\"call\":{\"id\":\"$id\",\"$merge\":"
      "\"$params\"},\"open\":[{\"send\":{\"a\":\"$x\"}},{\"expect\":{\"/a\":1},"
      "\"pick\":{\"x\":\"/x\"}}],\"heartbeat\":{\"every_ms\":5,\"send\":{\"a\":"
      "1}}}";
  test_alloc_sweep(sweep, (void *)(uintptr_t)wide);
  test_alloc_sweep(sweep, (void *)(uintptr_t)based);
}

/* jansson's memory, in turn. */
static test_alloc_t *jansson;

static void *json_malloc(size_t size) {
  return jansson->allocator.malloc_cb(size, jansson);
}

static void json_free(void *ptr) {
  if (ptr)
    jansson->allocator.free_cb(ptr, jansson);
}

static void sweep_jansson(test_alloc_t *alloc, void *data) {
  const char *text = (const char *)data;
  uvow_error_t *error = NULL;
  jansson = alloc;
  json_set_alloc_funcs(json_malloc, json_free);
  uvow_protocol_t *made = uvow_protocol_parse(text, strlen(text), &error);
  json_set_alloc_funcs(malloc, free);
  int code = uvow_error_code(error);
  if (alloc->failed) /* or its reader calls what it can't keep malformed */
    assert_true(code == UVOW_ENOMEM || code == UVOW_EPROTOCOL);
  assert_int_equal(made == NULL, code != 0);
  assert_true(made || uvow_error_message(error)[0]);
  if (alloc->failed && alloc->fail_at > 60) /* it was read */
    assert_int_equal(code, UVOW_ENOMEM);
  uvow_error_unref(error);
  uvow_protocol_unref(made);
}

TEST_CASE(survives_that_jansson_has_no_memory) {
  static const char text[] =
      "{\"name\":\"n\",\"call\":{\"id\":\"$id\",\"a\":[1,1.5,null,\"x\\n\"]},"
      "\"reply_error\":{\"id\":\"$id\",\"error\":\"$error\"},"
      "\"rules\":[{\"is\":\"ok\",\"id\":\"/id\"}]}";
  test_alloc_sweep(sweep_jansson, (void *)(uintptr_t)text);
}

TEST_MODULE(parse) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(is_as_the_built_in_one),
      cmocka_unit_test(writes_as_the_built_in_one),
      cmocka_unit_test(reads_what_is_described),
      cmocka_unit_test(writes_what_is_described),
      cmocka_unit_test(writes_control_answers),
      cmocka_unit_test(tells_clients_apart),
      cmocka_unit_test(adds_to_a_base),
      cmocka_unit_test(rules_come_before_templates),
      cmocka_unit_test(says_what_can_not_work),
      cmocka_unit_test(refuses_cuts),
      cmocka_unit_test(counts_owners),
      cmocka_unit_test(survives_no_memory),
      cmocka_unit_test(survives_that_jansson_has_no_memory),
  };
  return cmocka_run_group_tests_name("protocol/parse", tests, NULL, NULL);
}
