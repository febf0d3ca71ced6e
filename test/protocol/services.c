/*
 * What the services' own documents show, and what they were seen to send: read
 * by the built-in protocols, by their descriptions in docs/reference/protocols,
 * and by those in docs/examples/protocols. Each message is also read broken in
 * many ways; a built-in protocol and its description always say the same.
 */
#include "support/described_cases.h"

#include <stdio.h>

#include <uvow/protocol.h>

#include "protocol/opening.h"

/* clang-format off */
static const decode_case_t graphql_transport_ws_reads[] = {
    {"{\"id\":\"1\",\"type\":\"next\",\"payload\":{\"data\":{\"hello\":\"world\"}}}", PARTIAL, 1, "\"1\"||{\"data\":{\"hello\":\"world\"}}|||||"},
    {"{\"type\":\"complete\",\"id\":\"12\"}", ENDED, 12, "\"12\"|||||||"},
    {"{\"id\":\"3\",\"type\":\"error\",\"payload\":[{\"message\":\"no such field\",\"locations\":[]}]}", FAILED, 3, "\"3\"|||||\"no such field\"|[{\"message\":\"no such field\",\"locations\":[]}]|"},
    {"{\"type\":\"ping\"}", CONTROL, 0, "|||||||"},
    {"{\"type\":\"ping\",\"payload\":{\"a\":1}}", CONTROL, 0, "||{\"a\":1}|||||"},
    {"{\"type\":\"pong\"}", IGNORED, 0, "|||||||"},
    {"{\"id\":3,\"type\":\"complete\"}", ENDED, 0, "3|||||||"},
    {"{\"id\":\"x\",\"type\":\"complete\"}", ENDED, 0, "\"x\"|||||||"},
    {"{\"type\":\"next\",\"payload\":{}}", BAD, 0, NULL},
    {"{\"type\":\"start\",\"id\":\"1\"}", BAD, 0, NULL},
    {"{\"id\":\"x\",\"type\":\"subscribe\",\"payload\":{\"query\":\"{a}\"}}", CALL, 0, "\"x\"|\"subscribe\"|{\"query\":\"{a}\"}|||||"},
    {"{\"type\":\"connection_init\"}", BAD, 0, NULL},
    {"{\"id\":\"7\",\"type\":\"next\",\"payload\":[}", MALFORMED, 7, "\"7\"|||||||"},
};
static const encode_case_t graphql_transport_ws_writes[] = {
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("q"), .params = S("{\"query\":\"{a}\"}")}, "{\"id\":\"1\",\"type\":\"subscribe\",\"payload\":{\"query\":\"{a}\"}}"},
    {{.kind = UVOW__OP_CANCEL, .id = 1}, "{\"id\":\"1\",\"type\":\"complete\"}"},
    {{.kind = UVOW__OP_PARTIAL, .raw_id = S("\"x\""), .params = S("{\"data\":1}")}, "{\"id\":\"x\",\"type\":\"next\",\"payload\":{\"data\":1}}"},
    {{.kind = UVOW__OP_END, .raw_id = S("\"x\"")}, "{\"id\":\"x\",\"type\":\"complete\"}"},
    {{.kind = UVOW__OP_REPLY_ERROR, .raw_id = S("\"x\""), .error_message = S("no"), .error_data = S("[1]")}, "{\"id\":\"x\",\"type\":\"error\",\"payload\":[{\"message\":\"no\",\"extensions\":[1]}]}"},
    {{.kind = UVOW__OP_REPLY_ERROR, .raw_id = S("\"x\""), .error_message = S("no")}, "{\"id\":\"x\",\"type\":\"error\",\"payload\":[{\"message\":\"no\"}]}"},
    {{.kind = UVOW__OP_NOTIFY, .method = S("q")}, NULL},
};

static const decode_case_t home_assistant_reads[] = {
    {"{\"id\":18,\"type\":\"result\",\"success\":true,\"result\":null}", OK, 18, "18||null|||||"},
    {"{\"id\":6,\"type\":\"result\",\"success\":true,\"result\":{\"context\":{\"id\":\"326\"}}}", OK, 6, "6||{\"context\":{\"id\":\"326\"}}|||||"},
    {"{\"id\":12,\"type\":\"result\",\"success\":false,\"error\":{\"code\":\"invalid_format\",\"message\":\"no\"}}", FAILED, 12, "12||||\"invalid_format\"|\"no\"||"},
    {"{\"id\":12,\"type\":\"result\",\"success\":false,\"error\":{\"code\":\"x\",\"message\":\"y\",\"translation_key\":\"k\"}}", FAILED, 12, "12||||\"x\"|\"y\"|{\"code\":\"x\",\"message\":\"y\",\"translation_key\":\"k\"}|"},
    {"{\"id\":18,\"type\":\"event\",\"event\":{\"data\":{},\"event_type\":\"test_event\"}}", PARTIAL, 18, "18||{\"data\":{},\"event_type\":\"test_event\"}|||||"},
    {"{\"id\":19,\"type\":\"pong\"}", OK, 19, "19|||||||"},
    {"{\"type\":\"auth_required\",\"ha_version\":\"2021.5.3\"}", BAD, 0, NULL},
    {"{\"id\":6,\"type\":\"result\",\"success\":\"true\",\"result\":1}", BAD, 0, NULL},
    {"{\"id\":7,\"type\":\"ping\"}", CONTROL, 7, "7|||||||"},
    {"{\"id\":2,\"type\":\"subscribe_events\",\"event_type\":\"x\"}", CALL, 2, "2|\"subscribe_events\"|{\"id\":2,\"type\":\"subscribe_events\",\"event_type\":\"x\"}|||||"},
    {"{\"type\":\"auth\",\"access_token\":\"T\"}", BAD, 0, NULL},
};
static const encode_case_t home_assistant_writes[] = {
    {{.kind = UVOW__OP_CALL, .id = 18, .method = S("subscribe_events"), .params = S("{\"event_type\":\"state_changed\"}")}, "{\"id\":18,\"type\":\"subscribe_events\",\"event_type\":\"state_changed\"}"},
    {{.kind = UVOW__OP_CALL, .id = 19, .method = S("get_states")}, "{\"id\":19,\"type\":\"get_states\"}"},
    {{.kind = UVOW__OP_CALL, .id = 19, .method = S("ping"), .params = S("{}")}, "{\"id\":19,\"type\":\"ping\"}"},
    {{.kind = UVOW__OP_CALL, .id = 19, .method = S("ping"), .params = S("{\"id\":5}")}, NULL},
    {{.kind = UVOW__OP_CALL, .id = 19, .method = S("ping"), .params = S("{\"t\\u0079pe\":5}")}, NULL},
    {{.kind = UVOW__OP_CALL, .id = 19, .method = S("ping"), .params = S("[]")}, NULL},
    {{.kind = UVOW__OP_REPLY, .raw_id = S("4"), .method = S("get_states"), .params = S("[]")}, "{\"id\":4,\"type\":\"result\",\"success\":true,\"result\":[]}"},
    {{.kind = UVOW__OP_REPLY_ERROR, .raw_id = S("4"), .error_code = -32601, .error_message = S("no")}, "{\"id\":4,\"type\":\"result\",\"success\":false,\"error\":{\"code\":-32601,\"message\":\"no\"}}"},
    {{.kind = UVOW__OP_REPLY_ERROR, .raw_id = S("4"), .error_code_text = S("not_\"found\""), .error_message = S("no")}, "{\"id\":4,\"type\":\"result\",\"success\":false,\"error\":{\"code\":\"not_\\\"found\\\"\",\"message\":\"no\"}}"},
    {{.kind = UVOW__OP_PARTIAL, .raw_id = S("4"), .params = S("{\"a\":1}")}, "{\"id\":4,\"type\":\"event\",\"event\":{\"a\":1}}"},
};

static const decode_case_t obs5_reads[] = {
    {"{\"op\":7,\"d\":{\"requestType\":\"SetCurrentProgramScene\",\"requestId\":\"12\",\"requestStatus\":{\"result\":true,\"code\":100}}}", OK, 12, "\"12\"|||||||"},
    {"{\"op\":7,\"d\":{\"requestType\":\"GetVersion\",\"requestId\":\"3\",\"requestStatus\":{\"result\":true,\"code\":100},\"responseData\":{\"rpcVersion\":1}}}", OK, 3, "\"3\"||{\"rpcVersion\":1}|||||"},
    {"{\"op\":7,\"d\":{\"requestType\":\"X\",\"requestId\":\"3\",\"requestStatus\":{\"result\":false,\"code\":608,\"comment\":\"Parameter: sceneName\"}}}", FAILED, 3, "\"3\"||||608|\"Parameter: sceneName\"|{\"result\":false,\"code\":608,\"comment\":\"Parameter: sceneName\"}|"},
    {"{\"op\":5,\"d\":{\"eventType\":\"StudioModeStateChanged\",\"eventIntent\":1,\"eventData\":{\"studioModeEnabled\":true}}}", EVENT, 0, "|\"StudioModeStateChanged\"|{\"studioModeEnabled\":true}|||||"},
    {"{\"op\":5,\"d\":{\"eventType\":\"ExitStarted\",\"eventIntent\":1}}", EVENT, 0, "|\"ExitStarted\"||||||"},
    {"{\"op\":2,\"d\":{\"negotiatedRpcVersion\":1}}", BAD, 0, NULL},
    {"{\"op\":6,\"d\":{\"requestType\":\"GetVersion\",\"requestId\":\"f81\",\"requestData\":{\"a\":1}}}", CALL, 0, "\"f81\"|\"GetVersion\"|{\"a\":1}|||||"},
    {"{\"op\":6,\"d\":{\"requestType\":\"GetVersion\"}}", BAD, 0, NULL},
};
static const encode_case_t obs5_writes[] = {
    {{.kind = UVOW__OP_CALL, .id = 4, .method = S("SetCurrentProgramScene"), .params = S("{\"sceneName\":\"Scene 12\"}")}, "{\"op\":6,\"d\":{\"requestType\":\"SetCurrentProgramScene\",\"requestId\":\"4\",\"requestData\":{\"sceneName\":\"Scene 12\"}}}"},
    {{.kind = UVOW__OP_CALL, .id = 4, .method = S("GetVersion")}, "{\"op\":6,\"d\":{\"requestType\":\"GetVersion\",\"requestId\":\"4\"}}"},
    {{.kind = UVOW__OP_REPLY, .raw_id = S("\"f81\""), .method = S("GetVersion"), .params = S("{\"a\":1}")}, "{\"op\":7,\"d\":{\"requestType\":\"GetVersion\",\"requestId\":\"f81\",\"requestStatus\":{\"result\":true,\"code\":100},\"responseData\":{\"a\":1}}}"},
    {{.kind = UVOW__OP_REPLY_ERROR, .raw_id = S("\"f81\""), .error_code = 204, .error_message = S("no")}, "{\"op\":7,\"d\":{\"requestId\":\"f81\",\"requestStatus\":{\"result\":false,\"code\":204,\"comment\":\"no\"}}}"},
    {{.kind = UVOW__OP_EVENT, .method = S("ExitStarted")}, "{\"op\":5,\"d\":{\"eventType\":\"ExitStarted\",\"eventIntent\":1}}"},
};

static const decode_case_t phoenix2_reads[] = {
    {"[\"1\",\"1\",\"room:lobby\",\"phx_reply\",{\"status\":\"ok\",\"response\":{\"a\":1}}]", OK, 1, "\"1\"||{\"a\":1}|\"1\"||||"},
    {"[\"1\",\"2\",\"room:lobby\",\"phx_reply\",{\"response\":{\"reason\":\"unmatched topic\"},\"status\":\"error\"}]", FAILED, 2, "\"2\"|||\"1\"|||{\"reason\":\"unmatched topic\"}|"},
    {"[null,\"3\",\"phoenix\",\"phx_reply\",{\"status\":\"ok\",\"response\":{}}]", OK, 3, "\"3\"||{}|null||||"},
    {"[null,null,\"room:lobby\",\"new_msg\",{\"body\":\"hi\"}]", EVENT, 0, "|\"new_msg\"|{\"body\":\"hi\"}|null||||"},
    {"[\"1\",\"1\",\"room:lobby\",\"phx_close\",{}]", EVENT, 0, "|\"phx_close\"|{}|\"1\"||||"},
    {"[\"1\",\"1\",\"room:lobby\",\"phx_reply\",{\"status\":\"odd\",\"response\":{}}]", BAD, 0, NULL},
    {"[null,\"8\",\"phoenix\",\"heartbeat\",{}]", CONTROL, 8, "\"8\"|||||||"},
    {"[\"1\",\"2\",\"room:lobby\",\"shout\",{\"a\":1}]", CALL, 2, "\"2\"|\"shout\"|{\"a\":1}|\"1\"||||"},
    {"{}", BAD, 0, NULL},
};
static const uvow__var_t phoenix_vars[] = {{S("join_ref"), S("\"1\"")}, {S("topic"), S("\"room:lobby\"")}};
static const encode_case_t phoenix2_writes[] = {
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("phx_join"), .vars = phoenix_vars, .var_count = 2}, "[\"1\",\"1\",\"room:lobby\",\"phx_join\",{}]"},
    {{.kind = UVOW__OP_REPLY, .raw_id = S("\"2\""), .method = S("shout"), .params = S("{}"), .vars = phoenix_vars, .var_count = 2}, "[\"1\",\"2\",\"room:lobby\",\"phx_reply\",{\"status\":\"ok\",\"response\":{}}]"},
    {{.kind = UVOW__OP_REPLY_ERROR, .raw_id = S("\"2\""), .error_message = S("no"), .vars = phoenix_vars, .var_count = 2}, "[\"1\",\"2\",\"room:lobby\",\"phx_reply\",{\"status\":\"error\",\"response\":{\"reason\":\"no\"}}]"},
    {{.kind = UVOW__OP_EVENT, .method = S("new_msg"), .params = S("{\"a\":1}"), .vars = phoenix_vars + 1, .var_count = 1}, "[null,null,\"room:lobby\",\"new_msg\",{\"a\":1}]"},
    {{.kind = UVOW__OP_CALL, .id = 2, .method = S("shout"), .params = S("{\"a\":1}"), .vars = phoenix_vars, .var_count = 2}, "[\"1\",\"2\",\"room:lobby\",\"shout\",{\"a\":1}]"},
};

static const decode_case_t webdriver_bidi_reads[] = {
    {"{\"type\":\"success\",\"id\":1,\"result\":{\"ready\":false,\"message\":\"\"}}", OK, 1, "1||{\"ready\":false,\"message\":\"\"}|||||"},
    {"{\"type\":\"error\",\"id\":2,\"error\":\"unknown command\",\"message\":\"no.such\",\"stacktrace\":\"\"}", FAILED, 2, "2||||\"unknown command\"|\"no.such\"|\"\"|"},
    {"{\"type\":\"error\",\"id\":null,\"error\":\"invalid argument\",\"message\":\"m\"}", FAULT, 0, "null||||\"invalid argument\"|\"m\"||"},
    {"{\"type\":\"event\",\"method\":\"browsingContext.load\",\"params\":{\"context\":\"c\"}}", EVENT, 0, "|\"browsingContext.load\"|{\"context\":\"c\"}|||||"},
    {"{\"id\":1,\"result\":{}}", BAD, 0, NULL},
};
static const encode_case_t webdriver_bidi_writes[] = {
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("session.status")}, "{\"id\":1,\"method\":\"session.status\",\"params\":{}}"},
    {{.kind = UVOW__OP_CALL, .id = 2, .method = S("session.new"), .params = S("{\"capabilities\":{}}")}, "{\"id\":2,\"method\":\"session.new\",\"params\":{\"capabilities\":{}}}"},
};

static const decode_case_t wamp2_reads[] = {
    {"[50,7814135,{},[30]]", OK, 7814135, "7814135||[30]|||||"},
    {"[50,77133,{}]", OK, 77133, "77133|||||||"},
    {"[50,77133,{\"progress\":true},[1]]", PARTIAL, 77133, "77133||[1]|||||"},
    {"[50,77133,{\"progress\":false},[1]]", OK, 77133, "77133||[1]|||||"},
    {"[8,48,7814135,{},\"com.myapp.error.object_write_protected\",[\"Object is write protected.\"],{\"severity\":3}]", FAILED, 7814135, "7814135||||\"com.myapp.error.object_write_protected\"|\"Object is write protected.\"|[\"Object is write protected.\"]|"},
    {"[33,713845233,5512315355]", OK, 713845233, "713845233||5512315355|||||"},
    {"[36,5512315355,4429313566,{},[\"Hello, world!\"]]", EVENT, 0, "|\"event\"|[36,5512315355,4429313566,{},[\"Hello, world!\"]]|||||"},
    {"[65,25349185,2103333224]", OK, 25349185, "25349185||2103333224|||||"},
    {"[67,788923562]", OK, 788923562, "788923562|||||||"},
    {"[17,239714735,4429313566]", OK, 239714735, "239714735||4429313566|||||"},
    {"[35,85346237]", OK, 85346237, "85346237|||||||"},
    {"[8,64,25349185,{},\"wamp.error.procedure_already_exists\"]", FAILED, 25349185, "25349185||||\"wamp.error.procedure_already_exists\"|||"},
    {"[68,6131533,9823527,{},[\"johnny\"],{\"firstname\":\"John\"}]", CALL, 6131533, "6131533|\"invocation\"|[68,6131533,9823527,{},[\"johnny\"],{\"firstname\":\"John\"}]|||||"},
    {"[69,6131533,{}]", CANCEL, 6131533, "6131533|||||||"},
    {"[68,null,9823527,{}]", BAD, 0, NULL},
    {"[6,{},\"wamp.close.system_shutdown\"]", EVENT, 0, "|\"goodbye\"|[6,{},\"wamp.close.system_shutdown\"]|||||"},
    {"[2,9129137332,{\"roles\":{}}]", BAD, 0, NULL},
    {"[50]", BAD, 0, NULL},
};
static const encode_case_t wamp2_writes[] = {
    {{.kind = UVOW__OP_CALL, .id = 5, .method = S("com.myapp.ping")}, "[48,5,{\"receive_progress\":true},\"com.myapp.ping\",[]]"},
    {{.kind = UVOW__OP_CALL, .id = 5, .method = S("com.arguments.add2"), .params = S("[23,7]")}, "[48,5,{\"receive_progress\":true},\"com.arguments.add2\",[23,7]]"},
    {{.kind = UVOW__OP_CALL, .id = 5, .method = S("u"), .params = S("{\"a\":1}")}, "[48,5,{\"receive_progress\":true},\"u\",[],{\"a\":1}]"},
    {{.kind = UVOW__OP_SUBSCRIBE, .id = 6, .method = S("com.myapp.mytopic1")}, "[32,6,{},\"com.myapp.mytopic1\"]"},
    {{.kind = UVOW__OP_CANCEL, .id = 5}, "[49,5,{}]"},
    {{.kind = UVOW__OP_REPLY, .raw_id = S("6131533"), .params = S("[1]")}, "[70,6131533,{},[[1]]]"},
    {{.kind = UVOW__OP_REPLY, .raw_id = S("6131533")}, "[70,6131533,{},[null]]"},
    {{.kind = UVOW__OP_PARTIAL, .raw_id = S("6131533"), .params = S("5")}, "[70,6131533,{\"progress\":true},[5]]"},
    {{.kind = UVOW__OP_REPLY_ERROR, .raw_id = S("6131533"), .error_message = S("no")}, "[8,68,6131533,{},\"wamp.error.runtime_error\",[\"no\"]]"},
};

static const decode_case_t lsp_reads[] = {
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"workspace/configuration\",\"params\":{\"items\":[]}}", CALL, 1, "1|\"workspace/configuration\"|{\"items\":[]}|||||"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"textDocument/publishDiagnostics\",\"params\":{\"uri\":\"file:///a.py\",\"diagnostics\":[]}}", EVENT, 0, "|\"textDocument/publishDiagnostics\"|{\"uri\":\"file:///a.py\",\"diagnostics\":[]}|||||"},
    {"{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32800,\"message\":\"Request cancelled\"}}", FAILED, 2, "2||||-32800|\"Request cancelled\"||"},
};
static const encode_case_t lsp_writes[] = {
    {{.kind = UVOW__OP_CANCEL, .id = 5}, "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":{\"id\":5}}"},
};
#define mcp_reads lsp_reads
static const encode_case_t mcp_writes[] = {
    {{.kind = UVOW__OP_CANCEL, .id = 5}, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":5}}"},
    {{.kind = UVOW__OP_CALL, .id = 2, .method = S("tools/list"), .params = S("{}")}, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\",\"params\":{}}"},
};
/* clang-format on */

static const service_t built_in[] = {
    SERVICE(graphql_transport_ws),
    SERVICE(home_assistant),
    SERVICE(obs5),
    SERVICE(phoenix2),
    SERVICE(webdriver_bidi),
    SERVICE(wamp2),
    SERVICE(lsp),
    SERVICE(mcp),
};

static void check_service(const uvow_protocol_t *protocol,
                          const service_t *service) {
  check_decodes(protocol, service->reads, service->read_count);
  check_prefixes(protocol, service->reads, service->read_count);
  check_encodes(protocol, service->writes, service->write_count);
}

static int same_slice(uvow__slice_t a, uvow__slice_t b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Two protocols, or one twice, say the same of a text. */
static void agree(const uvow_protocol_t *a, const uvow_protocol_t *b,
                  const char *text, size_t len) {
  char *copy = (char *)malloc(len ? len : 1);
  uvow__msg_t x, y;
  assert_non_null(copy);
  memcpy(copy, text, len);
  int rc = uvow__protocol_decode(a, copy, len, &x);
  if (uvow__protocol_decode_by_rules(b, &b->ids, copy, len, &y) != rc ||
      x.kind != y.kind || x.id != y.id || x.fault != y.fault ||
      !same_slice(x.raw_id, y.raw_id) || !same_slice(x.name, y.name) ||
      !same_slice(x.value, y.value) || !same_slice(x.session, y.session))
    fail_msg("%s: %.*s", a->name, (int)len, text);
  free(copy);
}

static uint32_t next_random(uint32_t *seed) {
  *seed = *seed * 1664525u + 1013904223u;
  return *seed >> 8;
}

/* One byte changed, left out or doubled, or two pieces swapped. */
static size_t mutate(char *text, size_t len, uint32_t *seed) {
  static const char bytes[] = "{}[]\",:\\0123456789nulltruefalse \xEF";
  size_t at = next_random(seed) % len;
  switch (next_random(seed) % 3) {
  case 0:
    text[at] = bytes[next_random(seed) % (sizeof(bytes) - 1)];
    return len;
  case 1:
    memmove(text + at, text + at + 1, len - at - 1);
    return len - 1;
  default:
    memmove(text + at + 1, text + at, len - at);
    return len + 1;
  }
}

static void check_mutations(const uvow_protocol_t *a, const uvow_protocol_t *b,
                            const service_t *service) {
  uint32_t seed = 1;
  for (size_t i = 0; i < service->read_count; i++) {
    agree(a, b, service->reads[i].text, strlen(service->reads[i].text));
    for (int round = 0; round < 300; round++) {
      char text[1000];
      size_t len = strlen(service->reads[i].text);
      memcpy(text, service->reads[i].text, len);
      for (unsigned n = next_random(&seed) % 3 + 1; n > 0 && len > 1; n--)
        len = mutate(text, len, &seed);
      agree(a, b, text, len);
    }
  }
}

TEST_CASE(built_in_ones) {
  for (size_t i = 0; i < UVOW__COUNT(built_in); i++) {
    const uvow_protocol_t *protocol = uvow_protocol_by_name(built_in[i].name);
    assert_non_null(protocol);
    assert_string_equal(uvow_protocol_name(protocol), built_in[i].name);
    check_service(protocol, &built_in[i]);
    check_mutations(protocol, protocol, &built_in[i]);
  }
}

TEST_CASE(are_as_their_descriptions) {
  for (size_t i = 0; i < 6; i++) {
    const uvow_protocol_t *protocol = uvow_protocol_by_name(built_in[i].name);
    uvow_protocol_t *made = described_load("reference", built_in[i].name);
    check_service(made, &built_in[i]);
    check_mutations(protocol, made, &built_in[i]);
    assert_int_equal(made->step_count, protocol->step_count);
    assert_int_equal(made->accept_count, protocol->accept_count);
    assert_memory_equal(&made->closes, &protocol->closes, sizeof(made->closes));
    assert_int_equal(made->replies_first, protocol->replies_first);
    assert_int_equal(made->batches, protocol->batches);
    assert_int_equal(!made->subprotocol, !protocol->subprotocol);
    assert_int_equal(made->heartbeat ? made->heartbeat->every_ms : 0,
                     protocol->heartbeat ? protocol->heartbeat->every_ms : 0);
    for (int kind = 0; kind < UVOW__OP_KINDS; kind++)
      assert_int_equal(made->templates[kind].reads,
                       protocol->templates[kind].reads);
    uvow_protocol_unref(made);
  }
}

/* One with a rule more, for what nobody sends: nothing else changes. */
static uvow_protocol_t *extend(const char *name) {
  const uvow_protocol_t *protocol = uvow_protocol_by_name(name);
  char text[300];
  uvow_error_t *error = NULL;
  snprintf(text, sizeof(text),
           "{\"name\":\"%s\",\"base\":\"%s\",\"rules\":[{\"when\":{\"%s\":"
           "\"none\"},\"is\":\"event\",\"named\":\"own\"}]}",
           name, name, protocol->root->item_count ? "/9" : "/nobody");
  uvow_protocol_t *made = uvow_protocol_parse(text, strlen(text), &error);
  if (!made)
    fail_msg("%s: %s", name, uvow_error_message(error));
  return made;
}

TEST_CASE(are_bases) {
  for (size_t i = 0; i < UVOW__COUNT(built_in); i++) {
    const uvow_protocol_t *protocol = uvow_protocol_by_name(built_in[i].name);
    uvow_protocol_t *made = extend(built_in[i].name);
    check_service(made, &built_in[i]);
    check_mutations(protocol, made, &built_in[i]);
    assert_int_equal(made->step_count, protocol->step_count);
    assert_int_equal(made->accept_count, protocol->accept_count);
    uvow_protocol_unref(made);
  }
}

TEST_CASE(described_ones) {
  for (size_t i = 0; i < described_count; i++) {
    const service_t *service = &described_cases[i];
    uvow_protocol_t *made = described_load("examples", service->name);
    check_service(made, service);
    check_mutations(made, made, service);
    uvow_protocol_unref(made);
  }
}

static void expect_step(const uvow__step_t *step,
                        const uvow_protocol_t *protocol, const char *text,
                        uvow__step_result_t result) {
  uvow__step_read_t read;
  assert_int_equal(uvow__step_read(protocol, step, (uvow__slice_t){NULL, 0},
                                   text, strlen(text), &read),
                   result);
}

static void expect_sent(const uvow__step_t *step,
                        const uvow_protocol_t *protocol, const uvow__op_t *op,
                        const char *text) {
  uvow__buf_t out;
  uvow__buf_init(&out, &uvow__mem_default, 1000);
  assert_int_equal(uvow__step_write(protocol, &step->send, op, &out),
                   text ? 0 : UVOW_EINVAL);
  assert_int_equal(uvow__buf_append(&out, "", 1), 0);
  assert_string_equal((const char *)uvow__buf_front(&out), text ? text : "");
  uvow__buf_done(&out);
}

static const uvow__var_t open_vars[] = {
    {S("token"), S("\"T\"")},
    {S("authentication"), S("\"A\"")},
    {S("realm"), S("\"r1\"")},
    {S("initialize"), S("{\"capabilities\":{}}")}};
static const uvow__op_t without_vars = {0};
static const uvow__op_t with_vars = {.vars = open_vars, .var_count = 4};

/* As a built-in one, and as the base of a description. */
static void twice(const char *name, void (*check)(const uvow_protocol_t *p)) {
  uvow_protocol_t *made = extend(name);
  check(uvow_protocol_by_name(name));
  check(made);
  uvow_protocol_unref(made);
}

static void open_home_assistant(const uvow_protocol_t *p) {
  uvow__step_read_t read;
  expect_step(&p->steps[0], p, "{\"type\":\"auth_required\"}", UVOW__STEP_DONE);
  expect_step(&p->steps[0], p, "{\"type\":\"x\"}", UVOW__STEP_OTHER);
  expect_step(&p->steps[0], p, "{", UVOW__STEP_OTHER);
  expect_step(&p->steps[1], p, "{\"type\":\"x\"}", UVOW__STEP_OTHER);
  expect_sent(&p->steps[1], p, &with_vars,
              "{\"type\":\"auth\",\"access_token\":\"T\"}");
  expect_sent(&p->steps[1], p, &without_vars, NULL);
  expect_sent(&p->steps[2], p, &with_vars, NULL);
  static const char no[] = "{\"type\":\"auth_invalid\",\"message\":\"no\"}";
  assert_int_equal(uvow__step_read(p, &p->steps[2], (uvow__slice_t){NULL, 0},
                                   no, strlen(no), &read),
                   UVOW__STEP_REFUSED);
  assert_true(uvow__slice_is(read.message, "\"no\""));
}

TEST_CASE(opens_home_assistant) {
  twice("home_assistant", open_home_assistant);
}

static void open_obs5(const uvow_protocol_t *p) {
  uvow__step_read_t read;
  static const char hello[] =
      "{\"op\":0,\"d\":{\"authentication\":{\"challenge\":\"C\",\"salt\":\"S\""
      "},\"rpcVersion\":1}}";
  assert_int_equal(uvow__step_read(p, &p->steps[0], (uvow__slice_t){NULL, 0},
                                   hello, strlen(hello), &read),
                   UVOW__STEP_DONE);
  assert_int_equal(read.pick_count, 2);
  assert_true(uvow__slice_is(read.picks[0].name, "challenge"));
  assert_true(uvow__slice_is(read.picks[0].json, "\"C\""));
  assert_true(uvow__slice_is(read.picks[1].json, "\"S\""));
  expect_step(&p->steps[0], p, "{\"op\":0,\"d\":{}}", UVOW__STEP_DONE);
  expect_sent(&p->steps[1], p, &with_vars,
              "{\"op\":1,\"d\":{\"rpcVersion\":1,\"authentication\":\"A\"}}");
  expect_sent(&p->steps[1], p, &without_vars,
              "{\"op\":1,\"d\":{\"rpcVersion\":1}}");
}

TEST_CASE(opens_obs5) {
  twice("obs5", open_obs5);
}

static void open_graphql_transport_ws(const uvow_protocol_t *p) {
  expect_sent(&p->steps[0], p, &without_vars, "{\"type\":\"connection_init\"}");
  expect_step(&p->steps[1], p, "{\"type\":\"connection_ack\"}",
              UVOW__STEP_DONE);
}

static void open_wamp2(const uvow_protocol_t *p) {
  expect_sent(&p->steps[0], p, &with_vars,
              "[1,\"r1\",{\"roles\":{\"caller\":{\"features\":{\"progressive_"
              "call_results\":true,\"call_canceling\":true}},\"callee\":{"
              "\"features\":{\"progressive_call_results\":true,\"call_"
              "canceling\":true}},\"publisher\":{},"
              "\"subscriber\":{}}}]");
  expect_step(&p->steps[1], p, "[2,5,{}]", UVOW__STEP_DONE);
  expect_step(&p->steps[1], p, "[3,{},\"wamp.error.no_such_realm\"]",
              UVOW__STEP_REFUSED);
}

static void open_lsp(const uvow_protocol_t *p) {
  expect_sent(&p->steps[0], p, &with_vars,
              "{\"jsonrpc\":\"2.0\",\"id\":\"uvow-initialize\",\"method\":"
              "\"initialize\",\"params\":{\"capabilities\":{}}}");
  expect_step(&p->steps[1], p,
              "{\"jsonrpc\":\"2.0\",\"id\":\"uvow-initialize\",\"result\":{}}",
              UVOW__STEP_DONE);
  expect_step(&p->steps[1], p,
              "{\"jsonrpc\":\"2.0\",\"id\":\"uvow-initialize\",\"error\":{}}",
              UVOW__STEP_REFUSED);
  expect_sent(&p->steps[2], p, &with_vars,
              "{\"jsonrpc\":\"2.0\",\"method\":\"initialized\",\"params\":{}}");
}

static void open_mcp(const uvow_protocol_t *p) {
  expect_sent(&p->steps[2], p, &with_vars,
              "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
}

TEST_CASE(opens_the_others) {
  twice("graphql_transport_ws", open_graphql_transport_ws);
  twice("wamp2", open_wamp2);
  twice("lsp", open_lsp);
  twice("mcp", open_mcp);
}

TEST_CASE(beats_and_answers) {
  static const char ping[] = "{\"type\":\"ping\",\"payload\":{\"a\":1}}";
  const uvow__op_t op = {.id = 9};
  const uvow_protocol_t *p = uvow_protocol_by_name("phoenix2");
  uvow__buf_t out;
  uvow__msg_t msg;
  uvow__buf_init(&out, &uvow__mem_default, 1000);
  assert_int_equal(uvow__heartbeat_write(p, &op, &out), 0);
  p = uvow_protocol_by_name("graphql_transport_ws");
  assert_int_equal(uvow__heartbeat_write(p, &op, &out), UVOW_EINVAL);
  assert_int_equal(uvow__protocol_decode(p, ping, strlen(ping), &msg), 0);
  assert_int_equal(uvow__protocol_control(p, &msg, &out), 0);
  assert_int_equal(uvow__buf_append(&out, "", 1), 0);
  assert_string_equal((const char *)uvow__buf_front(&out),
                      "[null,\"9\",\"phoenix\",\"heartbeat\",{}]"
                      "{\"type\":\"pong\",\"payload\":{\"a\":1}}");
  uvow__buf_done(&out);
}

static void expect_pong(const uvow_protocol_t *p, const char *ping,
                        const char *pong) {
  uvow__buf_t out;
  uvow__msg_t msg;
  uvow__buf_init(&out, &uvow__mem_default, 1000);
  assert_int_equal(uvow__protocol_decode(p, ping, strlen(ping), &msg), 0);
  assert_int_equal(uvow__protocol_control(p, &msg, &out), 0);
  assert_int_equal(uvow__buf_append(&out, "", 1), 0);
  assert_string_equal((const char *)uvow__buf_front(&out), pong);
  uvow__buf_done(&out);
}

/* An answer's id is left out where there was none. */
TEST_CASE(answers_without_an_id) {
  uvow_protocol_t *p = described_load("examples", "ddp");
  expect_pong(p, "{\"msg\":\"ping\",\"id\":\"x\"}",
              "{\"msg\":\"pong\",\"id\":\"x\"}");
  expect_pong(p, "{\"msg\":\"ping\"}", "{\"msg\":\"pong\"}");
  uvow_protocol_unref(p);
}

TEST_MODULE(services) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(built_in_ones),
      cmocka_unit_test(are_as_their_descriptions),
      cmocka_unit_test(are_bases),
      cmocka_unit_test(described_ones),
      cmocka_unit_test(opens_home_assistant),
      cmocka_unit_test(opens_obs5),
      cmocka_unit_test(opens_the_others),
      cmocka_unit_test(beats_and_answers),
      cmocka_unit_test(answers_without_an_id),
  };
  return cmocka_run_group_tests_name("protocol/services", tests, NULL, NULL);
}
