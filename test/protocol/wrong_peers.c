/* Each way in which a peer can be wrong, by each protocol: what is no JSON, cut
 * off, no envelope, an id that isn't ours, one twice, a broken value, a part
 * that is missing. A request whose id can be read is told why; nothing else is
 * taken for an answer. */
#include "protocol/protocol.h"

#include <stdio.h>

#include "support/support.h"

#include <uvow/error.h>

/* An answer to request 7, in two pieces: the value is between them. */
typedef struct peer {
  const char *protocol;
  const char *head; /* up to the value */
  const char *tail;
  const char *other_id; /* the same answer with an id that isn't ours */
  const char *twice;    /* with two ids; NULL: it can't be */
  const char *partless; /* an answer that lacks something; NULL: none does */
  const char *root;     /* JSON that is no envelope */
} peer_t;

static const peer_t peers[] = {
    {"jsonrpc2", "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":", "}",
     "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":1}",
     "{\"jsonrpc\":\"2.0\",\"id\":7,\"id\":7,\"result\":1}",
     "{\"jsonrpc\":\"2.0\",\"id\":7}", "5"},
    {"lsp", "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":", "}",
     "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":1}",
     "{\"jsonrpc\":\"2.0\",\"id\":7,\"id\":7,\"result\":1}",
     "{\"jsonrpc\":\"2.0\",\"id\":7}", "[]"},
    {"mcp", "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":", "}",
     "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":1}",
     "{\"jsonrpc\":\"2.0\",\"id\":7,\"id\":7,\"result\":1}",
     "{\"jsonrpc\":\"2.0\",\"id\":7}", "null"},
    {"callback_id", "{\"result\":true,\"callback_id\":7,\"data\":", "}",
     "{\"result\":true,\"callback_id\":\"x\",\"data\":1}",
     "{\"result\":true,\"callback_id\":7,\"callback_id\":7}",
     "{\"callback_id\":7}", "\"x\""},
    {"cdp", "{\"id\":7,\"result\":", "}", "{\"id\":\"x\",\"result\":1}",
     "{\"id\":7,\"id\":7,\"result\":1}", "{\"id\":7}", "true"},
    {"webdriver_bidi", "{\"type\":\"success\",\"id\":7,\"result\":", "}",
     "{\"type\":\"success\",\"id\":\"x\",\"result\":{}}",
     "{\"type\":\"success\",\"id\":7,\"id\":7,\"result\":{}}",
     "{\"type\":\"sucess\",\"id\":7}", "[]"},
    {"home_assistant",
     "{\"id\":7,\"type\":\"result\",\"success\":true,\"result\":", "}",
     "{\"id\":\"x\",\"type\":\"result\",\"success\":true,\"result\":1}",
     "{\"id\":7,\"id\":7,\"type\":\"result\",\"success\":true}",
     "{\"id\":7,\"type\":\"result\",\"success\":1}", "5"},
    {"obs5",
     "{\"op\":7,\"d\":{\"requestId\":\"7\",\"requestStatus\":{\"result\":true},"
     "\"responseData\":",
     "}}",
     "{\"op\":7,\"d\":{\"requestId\":\"x\",\"requestStatus\":{\"result\":true}}"
     "}",
     "{\"op\":7,\"d\":{\"requestId\":\"7\",\"requestId\":\"7\","
     "\"requestStatus\":{\"result\":true}}}",
     "{\"op\":9,\"d\":{\"requestId\":\"7\"}}", "[]"},
    {"phoenix2",
     "[null,\"7\",\"t\",\"phx_reply\",{\"status\":\"ok\",\"response\":", "}]",
     "[null,\"x\",\"t\",\"phx_reply\",{\"status\":\"ok\",\"response\":1}]",
     NULL, "[null,\"7\",\"t\",\"phx_reply\",{\"status\":\"odd\"}]", "{}"},
    {"graphql_transport_ws", "{\"id\":\"7\",\"type\":\"next\",\"payload\":",
     "}", "{\"id\":\"x\",\"type\":\"next\",\"payload\":1}",
     "{\"id\":\"7\",\"id\":\"7\",\"type\":\"next\",\"payload\":1}",
     "{\"id\":\"7\",\"type\":\"nxt\"}", "5"},
    {"wamp2", "[50,7,{},", "]", "[50,\"x\",{},[1]]", NULL, "[51,7,{}]", "{}"},
};

static int read(const peer_t *peer, const char *text, size_t len,
                uvow__msg_t *msg) {
  char *copy = (char *)malloc(len ? len : 1);
  assert_non_null(copy);
  memcpy(copy, text, len);
  int rc = uvow__protocol_decode(uvow_protocol_by_name(peer->protocol), copy,
                                 len, msg);
  free(copy);
  return rc;
}

static int is_answer(int rc, const uvow__msg_t *msg) {
  return rc == 0 && msg->has_id &&
         (msg->kind == UVOW__MSG_OK || msg->kind == UVOW__MSG_PARTIAL);
}

static void expect(const peer_t *peer, const char *text, int answers) {
  uvow__msg_t msg;
  int rc = read(peer, text, strlen(text), &msg);
  if (is_answer(rc, &msg) != answers)
    fail_msg("%s: %s", peer->protocol, text);
  if (answers)
    assert_int_equal(msg.id, 7);
}

static void join(const peer_t *peer, const char *value, char *text,
                 size_t cap) {
  int len = snprintf(text, cap, "%s%s%s", peer->head, value, peer->tail);
  assert_true(len > 0 && (size_t)len < cap);
}

TEST_CASE(test_each) {
  for (size_t i = 0; i < UVOW__COUNT(peers); i++) {
    char text[400];
    join(&peers[i], "{\"a\":1}", text, sizeof(text));
    expect(&peers[i], text, 1);
    expect(&peers[i], peers[i].other_id, 0);
    if (peers[i].twice)
      expect(&peers[i], peers[i].twice, 0);
    if (peers[i].partless)
      expect(&peers[i], peers[i].partless, 0);
    expect(&peers[i], peers[i].root, 0);
    expect(&peers[i], "", 0);
    expect(&peers[i], "nonsense", 0);
  }
}

/* Cut off anywhere: no answer, and no reading beyond the end. */
TEST_CASE(test_cut_off) {
  for (size_t i = 0; i < UVOW__COUNT(peers); i++) {
    char text[400];
    uvow__msg_t msg;
    join(&peers[i], "{\"a\":[1,\"x\"]}", text, sizeof(text));
    for (size_t len = 0; len < strlen(text); len++)
      if (is_answer(read(&peers[i], text, len, &msg), &msg))
        fail_msg("%s: %.*s", peers[i].protocol, (int)len, text);
  }
}

/* A value that is broken: whose request it is can be read, so that is told; a
 * session says UVOW_EENVELOPE, and why. */
TEST_CASE(test_broken_value) {
  static const char *const values[] = {"[}", "tru", "\"x", "{\"a\":1,}]", ""};
  for (size_t i = 0; i < UVOW__COUNT(peers); i++) {
    for (size_t k = 0; k < UVOW__COUNT(values); k++) {
      char text[400];
      uvow__msg_t msg;
      join(&peers[i], values[k], text, sizeof(text));
      int rc = read(&peers[i], text, strlen(text), &msg);
      assert_false(is_answer(rc, &msg) && k < 3);
      if (rc == 0 && msg.kind == UVOW__MSG_MALFORMED) {
        assert_int_equal(msg.id, 7);
        assert_string_not_equal(uvow__fault_text((uvow__fault_t)msg.fault), "");
      }
    }
  }
}

/* Nested deeper than any answer: refused, whatever it's about. */
TEST_CASE(test_too_deep) {
  static char text[9000];
  for (size_t i = 0; i < UVOW__COUNT(peers); i++) {
    uvow__msg_t msg;
    size_t head = strlen(peers[i].head);
    memcpy(text, peers[i].head, head);
    memset(text + head, '[', 4000);
    memset(text + head + 4000, ']', 4000);
    strcpy(text + head + 8000, peers[i].tail);
    int rc = read(&peers[i], text, strlen(text), &msg);
    if (is_answer(rc, &msg))
      fail_msg("%s takes any depth", peers[i].protocol);
  }
}

TEST_MODULE(wrong_peers) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each),
      cmocka_unit_test(test_cut_off),
      cmocka_unit_test(test_broken_value),
      cmocka_unit_test(test_too_deep),
  };
  return cmocka_run_group_tests_name("protocol/wrong_peers", tests, NULL, NULL);
}
