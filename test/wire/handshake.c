/* The opening handshake, both sides, and the base64 it needs. */
#include "support/support.h"

#include <stdio.h>

#include <uvow/error.h>

#include "base/mem.h"
#include "wire/handshake.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ==" /* RFC 6455 1.3 */
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

#define ANSWER "HTTP/1.1 101 x\r\n"
#define UPGRADE "Upgrade: WebSocket\r\n"
#define CONNECTION "Connection: keep-alive, UPGRADE\r\n"
#define ACCEPTED "Sec-WebSocket-Accept: " ACCEPT "\r\n"

#define ASK "GET /x HTTP/1.1\r\n"
#define HOST "Host: h:80\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define KEYED "Sec-WebSocket-Key: " KEY "\r\n"
#define END "\r\n"
#define PROTOCOL "Sec-WebSocket-Protocol: "

#define UP UPGRADE CONNECTION   /* what both sides say */
#define YES ANSWER UP ACCEPTED  /* an answer but for its end */
#define GET ASK HOST UP VERSION /* a request but for key and end */
#define REST HOST UP VERSION KEYED END

static const char *const chat[] = {"chat", "superchat"};

static void read_head(uvow__http_t *http, uvow__http_role_t role,
                      const char *text) {
  size_t used;
  uvow__http_init(http, &uvow__mem_default, role, UVOW__HTTP_MAX_HEAD);
  assert_int_equal(uvow__http_feed(http, text, strlen(text), &used), 0);
  assert_int_equal(used, strlen(text));
}

static void check_out(const uvow__buf_t *out, const char *expected) {
  char text[2048];
  size_t len = uvow__buf_size(out);
  assert_true(len < sizeof(text));
  if (len)
    memcpy(text, out->data + out->off, len);
  text[len] = '\0';
  assert_string_equal(text, expected);
}

TEST_CASE(knows_the_rfcs_example) {
  char key[UVOW__HANDSHAKE_KEY + 1];
  char accept[UVOW__HANDSHAKE_ACCEPT + 1];
  uvow__handshake_key((const uint8_t *)"the sample nonce", key);
  assert_string_equal(key, KEY);
  assert_int_equal(uvow__handshake_accept(key, 24, accept), 0);
  assert_string_equal(accept, ACCEPT);
  assert_int_equal(uvow__handshake_accept(key, 23, accept), UVOW_EINVAL);
  assert_int_equal(uvow__handshake_accept(KEY "=", 25, accept), UVOW_EINVAL);
}

static uvow__handshake_request_t plain_request(void) {
  uvow__handshake_request_t request;
  memset(&request, 0, sizeof(request));
  request.target = "/chat?x=1";
  request.authority = "example.com:8000";
  request.key = KEY;
  return request;
}

TEST_CASE(writes_requests) {
  static const uvow__handshake_header_t headers[] = {{"Origin", "http://o"},
                                                     {"X-Empty", ""}};
  static const uvow__handshake_header_t auth[] = {
      {"authorization", "Bearer t"}};
  static const char start[] =
      "GET /chat?x=1 HTTP/1.1\r\nHost: example.com:8000\r\n"
      "Upgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: 13\r\n";
  uvow__handshake_request_t request = plain_request();
  uvow__buf_t out;
  char expected[1024];
  uvow__buf_init(&out, &uvow__mem_default, 4096);
  assert_int_equal(uvow__handshake_write_request(&out, &request), 0);
  snprintf(expected, sizeof(expected), "%s\r\n", start);
  check_out(&out, expected);
  uvow__buf_clear(&out, 0);
  request.subprotocols = chat;
  request.subprotocol_count = 2;
  request.headers = headers;
  request.header_count = 2;
  request.user = "Aladdin"; /* RFC 7617 2 */
  request.password = "open sesame";
  assert_int_equal(uvow__handshake_write_request(&out, &request), 0);
  snprintf(expected, sizeof(expected),
           "%sSec-WebSocket-Protocol: chat, superchat\r\n"
           "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"
           "Origin: http://o\r\nX-Empty: \r\n\r\n",
           start);
  check_out(&out, expected);
  uvow__buf_clear(&out, 0);
  request = plain_request();
  request.user = "";
  assert_int_equal(uvow__handshake_write_request(&out, &request), 0);
  snprintf(expected, sizeof(expected), "%sAuthorization: Basic Og==\r\n\r\n",
           start);
  check_out(&out, expected);
  uvow__buf_clear(&out, 0);
  request.headers = auth;
  request.header_count = 1;
  assert_int_equal(uvow__handshake_write_request(&out, &request), 0);
  snprintf(expected, sizeof(expected), "%sauthorization: Bearer t\r\n\r\n",
           start);
  check_out(&out, expected);
  uvow__buf_done(&out);
}

static void not_written(const uvow__handshake_request_t *request) {
  uvow__buf_t out;
  uvow__buf_init(&out, &uvow__mem_default, 4096);
  assert_int_equal(uvow__buf_append_text(&out, "kept"), 0);
  assert_int_equal(uvow__handshake_write_request(&out, request), UVOW_EINVAL);
  check_out(&out, "kept");
  uvow__buf_done(&out);
}

TEST_CASE(refuses_bad_text) {
  static const char *const targets[] = {
      NULL, "", "x", "/ x", "/\r\nA: b", "/\n", "/#f", "/\x7f", "/\xc3\xa9"};
  static const char *const authorities[] = {
      NULL, "", "a b", "a\r\nb", "a/b", "u@h", "a\xff", "a?", "a#", "a,b"};
  static const char *const keys[] = {NULL,
                                     "",
                                     "dGhlIHNhbXBsZSBub25jZQ=",
                                     "dGhlIHNhbXBsZSBub25j",
                                     "dGhlIHNhbXBsZSBub25jZXh4",
                                     "dGhlIHNhbXBsZSBub25jZ\r\n="};
  static const char *const users[] = {"a:b", "a\nb", "a\tb", "\x7f"};
  uvow__handshake_request_t request = plain_request();
  for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
    request.target = targets[i];
    not_written(&request);
  }
  request = plain_request();
  for (size_t i = 0; i < sizeof(authorities) / sizeof(authorities[0]); i++) {
    request.authority = authorities[i];
    not_written(&request);
  }
  request = plain_request();
  for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
    request.key = keys[i];
    not_written(&request);
  }
  request = plain_request();
  for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
    request.user = users[i];
    not_written(&request);
  }
  request.user = "u";
  request.password = "p\r\nA: b";
  not_written(&request);
  request.password = "p\tq";
  not_written(&request);
  request.user = NULL;
  request.password = "p";
  not_written(&request);
}

TEST_CASE(refuses_bad_lists) {
  static const char *const protocols[][2] = {{"a", "a"},   {"a", NULL},
                                             {"a", ""},    {"a", "b c"},
                                             {"a", "b,c"}, {"a", "b\r\nX: y"}};
  static const uvow__handshake_header_t headers[] = {
      {NULL, "v"},
      {"N", NULL},
      {"", "v"},
      {"N N", "v"},
      {"N:", "v"},
      {"N\r\nX", "v"},
      {"N", "v\r\nX: y"},
      {"N", "v\n"},
      {"N", "\r"},
      {"N", "\x01"},
      {"Host", "v"},
      {"hOST", "v"},
      {"Upgrade", "v"},
      {"connection", "v"},
      {"Sec-WebSocket-Key", "v"},
      {"sec-websocket-protocol", "v"},
      {"Sec-WebSocket-Extensions", "v"},
      {"SEC-WEBSOCKET-X", "v"},
      {"Sec-WebSocket-", "v"},
      {"Content-Length", "0"},
      {"Transfer-Encoding", "chunked"}};
  uvow__handshake_request_t request = plain_request();
  request.subprotocol_count = 2;
  for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
    request.subprotocols = protocols[i];
    not_written(&request);
  }
  request = plain_request();
  request.header_count = 1;
  for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
    uvow__buf_t out;
    request.headers = &headers[i];
    not_written(&request);
    uvow__buf_init(&out, &uvow__mem_default, 4096);
    assert_int_equal(uvow__handshake_write_accept(&out, UVOW__SLICE(KEY), NULL,
                                                  NULL, &headers[i], 1),
                     UVOW_EINVAL);
    assert_int_equal(uvow__buf_size(&out), 0);
    uvow__buf_done(&out);
  }
}

typedef struct answer {
  const char *text;
  int rc;
} answer_t;

static const answer_t answers[] = {
    {YES END, 0},
    {YES PROTOCOL "superchat\r\n" END, 0},
    {ANSWER UPGRADE "Connection: a\r\nConnection: ,upgrade\r\n" ACCEPTED
                    "Content-Length: 0\r\n" END,
     0},
    {"HTTP/1.1 200 OK\r\n" UP ACCEPTED END, UVOW_EHANDSHAKE},
    {"HTTP/1.1 401 x\r\n" END, UVOW_EHANDSHAKE},
    {ANSWER CONNECTION ACCEPTED END, UVOW_EHTTP},
    {ANSWER "Upgrade: h2c\r\n" CONNECTION ACCEPTED END, UVOW_EHTTP},
    {ANSWER "Upgrade: websocket, h2c\r\n" CONNECTION ACCEPTED END, UVOW_EHTTP},
    {ANSWER UPGRADE UP ACCEPTED END, UVOW_EHTTP},
    {ANSWER UPGRADE ACCEPTED END, UVOW_EHTTP},
    {ANSWER UPGRADE "Connection: close\r\n" ACCEPTED END, UVOW_EHTTP},
    {ANSWER UPGRADE "Connection: upgraded\r\n" ACCEPTED END, UVOW_EHTTP},
    {ANSWER UP END, UVOW_EACCEPT},
    {YES ACCEPTED END, UVOW_EACCEPT},
    {ANSWER UP "Sec-WebSocket-Accept: \r\n" END, UVOW_EACCEPT},
    {ANSWER UP "Sec-WebSocket-Accept: " KEY "\r\n" END, UVOW_EACCEPT},
    {ANSWER UP "Sec-WebSocket-Accept: "
               "S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" END,
     UVOW_EACCEPT},
    {ANSWER UP "Sec-WebSocket-Accept: " ACCEPT "x\r\n" END, UVOW_EACCEPT},
    {YES PROTOCOL "x\r\n" END, UVOW_EPROTO},
    {YES PROTOCOL "CHAT\r\n" END, UVOW_EPROTO},
    {YES "Sec-WebSocket-Protocol:\r\n" END, UVOW_EPROTO},
    {YES PROTOCOL "chat, superchat\r\n" END, UVOW_EPROTO},
    {YES PROTOCOL "chat\r\nSec-WebSocket-Protocol: chat\r\n" END, UVOW_EPROTO},
    {YES "Sec-WebSocket-Extensions: permessage-deflate\r\n" END, UVOW_EPROTO},
};

TEST_CASE(checks_responses) {
  for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
    uvow__http_t http;
    const char *subprotocol = "untouched";
    const char *why = NULL;
    read_head(&http, UVOW__HTTP_RESPONSE, answers[i].text);
    int rc = uvow__handshake_check_response(&http, KEY, chat, 2, NULL,
                                            &subprotocol, &why);
    if (rc != answers[i].rc)
      print_error("%d: %s\n", rc, answers[i].text);
    assert_int_equal(rc, answers[i].rc);
    assert_int_equal(rc != 0, why != NULL);
    if (rc)
      assert_string_equal(subprotocol, "untouched");
    else if (strstr(answers[i].text, PROTOCOL))
      assert_ptr_equal(subprotocol, chat[1]);
    else
      assert_null(subprotocol);
    uvow__http_done(&http);
  }
}

TEST_CASE(nothing_offered_nothing_chosen) {
  uvow__http_t http;
  const char *subprotocol = NULL;
  const char *why = NULL;
  read_head(&http, UVOW__HTTP_RESPONSE, answers[1].text);
  assert_int_equal(uvow__handshake_check_response(&http, KEY, NULL, 0, NULL,
                                                  &subprotocol, &why),
                   UVOW_EPROTO);
  assert_int_equal(uvow__handshake_check_response(&http, "short", NULL, 0, NULL,
                                                  &subprotocol, &why),
                   UVOW_EINVAL);
  uvow__http_done(&http);
}

typedef struct ask {
  const char *text;
  int status;
} ask_t;

static const ask_t asks[] = {
    {ASK REST, 101},
    {"GET http://h/x HTTP/1.1\r\n" REST, 101},
    {ASK HOST "Upgrade: h2c, websocket\r\n" CONNECTION VERSION KEYED
              "Content-Length: 0\r\n" END,
     101},
    {GET "Sec-WebSocket-Key: abcdefghijklmnopqrstuv==\r\n" END, 101},
    {"POST /x HTTP/1.1\r\n" REST, 405},
    {"get /x HTTP/1.1\r\n" REST, 405},
    {"GET * HTTP/1.1\r\n" REST, 400},
    {"GET h:80 HTTP/1.1\r\n" REST, 400},
    {"GET /#f HTTP/1.1\r\n" REST, 400},
    {ASK UP VERSION KEYED END, 400},
    {ASK HOST REST, 400},
    {ASK "Host:\r\n" UP VERSION KEYED END, 400},
    {ASK "Host: a b\r\n" UP VERSION KEYED END, 400},
    {ASK "Host: a@b\r\n" UP VERSION KEYED END, 400},
    {ASK HOST CONNECTION VERSION KEYED END, 426},
    {ASK HOST "Upgrade: websockets\r\n" CONNECTION VERSION KEYED END, 426},
    {ASK HOST UPGRADE VERSION KEYED END, 400},
    {ASK HOST UPGRADE "Connection: close\r\n" VERSION KEYED END, 400},
    {ASK HOST UP KEYED END, 426},
    {GET VERSION KEYED END, 426},
    {ASK HOST UP "Sec-WebSocket-Version: 8\r\n" KEYED END, 426},
    {ASK HOST UP "Sec-WebSocket-Version: 013\r\n" KEYED END, 426},
    {GET END, 400},
    {GET KEYED KEYED END, 400},
    {GET "Sec-WebSocket-Key:\r\n" END, 400},
    {GET "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n" END, 400},
    {GET "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZXh4\r\n" END, 400},
    {GET "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ!==\r\n" END, 400},
    {GET KEYED PROTOCOL "a, b c\r\n" END, 400},
    {GET KEYED "Content-Length: 5\r\n" END, 400},
    {GET KEYED "Content-Length: 0\r\nContent-Length: 0\r\n" END, 400},
    {GET KEYED "Transfer-Encoding: chunked\r\n" END, 400},
};

TEST_CASE(checks_requests) {
  for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
    uvow__http_t http;
    uvow__handshake_accepted_t found;
    memset(&found, 0x5a, sizeof(found));
    read_head(&http, UVOW__HTTP_REQUEST, asks[i].text);
    int rc = uvow__handshake_check_request(&http, &found);
    if (found.status != asks[i].status)
      print_error("%d: %s\n", found.status, asks[i].text);
    assert_int_equal(found.status, asks[i].status);
    assert_int_equal(rc, found.status == 101 ? 0 : UVOW_EHANDSHAKE);
    assert_int_equal(rc != 0, found.why != NULL);
    assert_int_equal(found.key.len, rc ? 0 : 24);
    uvow__http_done(&http);
  }
}

TEST_CASE(chooses_a_subprotocol) {
  static const char text[] = ASK HOST UPGRADE CONNECTION VERSION KEYED
      "Sec-WebSocket-Protocol: x, Chat\r\n"
      "sec-websocket-protocol: superchat,chat\r\n" END;
  uvow__http_t http;
  uvow__handshake_accepted_t found;
  read_head(&http, UVOW__HTTP_REQUEST, text);
  assert_int_equal(uvow__handshake_check_request(&http, &found), 0);
  assert_true(uvow__slice_is(found.target, "/x"));
  assert_true(uvow__slice_is(found.host, "h:80"));
  assert_true(uvow__slice_is(found.key, KEY));
  assert_ptr_equal(uvow__handshake_choose_subprotocol(&http, chat, 2), chat[1]);
  assert_ptr_equal(uvow__handshake_choose_subprotocol(&http, chat, 1), chat[0]);
  assert_null(uvow__handshake_choose_subprotocol(&http, NULL, 0));
  uvow__http_done(&http);
}

TEST_CASE(writes_answers) {
  static const uvow__handshake_header_t header = {"Server", "uvow"};
  uvow__buf_t out;
  uvow__buf_init(&out, &uvow__mem_default, 4096);
  assert_int_equal(uvow__handshake_write_accept(&out, UVOW__SLICE(KEY), "chat",
                                                NULL, &header, 1),
                   0);
  check_out(&out,
            "HTTP/1.1 101 Switching Protocols\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n" ACCEPTED
            "Sec-WebSocket-Protocol: chat\r\nServer: uvow\r\n\r\n");
  uvow__buf_clear(&out, 0);
  assert_int_equal(
      uvow__handshake_write_accept(&out, UVOW__SLICE("x"), NULL, NULL, NULL, 0),
      UVOW_EINVAL);
  assert_int_equal(uvow__handshake_write_accept(&out, UVOW__SLICE(KEY), "a b",
                                                NULL, NULL, 0),
                   UVOW_EINVAL);
  assert_int_equal(uvow__buf_size(&out), 0);
  uvow__buf_done(&out);
}

TEST_CASE(writes_refusals) {
  uvow__buf_t out;
  uvow__buf_init(&out, &uvow__mem_default, 4096);
  assert_int_equal(uvow__handshake_write_refusal(&out, 400, "no"), 0);
  check_out(&out,
            "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            "Content-Length: 3\r\n\r\nno\n");
  uvow__buf_clear(&out, 0);
  assert_int_equal(uvow__handshake_write_refusal(&out, 426, "old"), 0);
  check_out(&out,
            "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\n"
            "Connection: Upgrade, close\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            "Content-Length: 4\r\n\r\nold\n");
  uvow__buf_clear(&out, 0);
  assert_int_equal(uvow__handshake_write_refusal(&out, 405, ""), 0);
  check_out(&out,
            "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\n"
            "Connection: close\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            "Content-Length: 1\r\n\r\n\n");
  uvow__buf_clear(&out, 0);
  assert_int_equal(uvow__handshake_write_refusal(&out, 503, "full"), 0);
  check_out(&out,
            "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n"
            "Connection: close\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            "Content-Length: 5\r\n\r\nfull\n");
  uvow__buf_clear(&out, 0);
  assert_int_equal(uvow__handshake_write_refusal(&out, 418, "tea"), 0);
  assert_memory_equal(out.data, "HTTP/1.1 418 \r\nC", 16);
  uvow__buf_clear(&out, 0);
  assert_int_equal(uvow__handshake_write_refusal(&out, 101, "x"), UVOW_EINVAL);
  assert_int_equal(uvow__handshake_write_refusal(&out, 600, "x"), UVOW_EINVAL);
  assert_int_equal(uvow__handshake_write_refusal(&out, 400, NULL), UVOW_EINVAL);
  assert_int_equal(uvow__buf_size(&out), 0);
  uvow__buf_done(&out);
}

/* What one side writes, the other takes. */
TEST_CASE(sides_agree) {
  uvow__handshake_request_t request = plain_request();
  uvow__handshake_accepted_t found;
  uvow__http_t http;
  uvow__buf_t out;
  const char *subprotocol = NULL;
  const char *why = NULL;
  request.subprotocols = chat;
  request.subprotocol_count = 2;
  uvow__buf_init(&out, &uvow__mem_default, 4096);
  assert_int_equal(uvow__handshake_write_request(&out, &request), 0);
  assert_int_equal(uvow__buf_append(&out, "", 1), 0);
  read_head(&http, UVOW__HTTP_REQUEST, (const char *)out.data);
  uvow__buf_clear(&out, 0);
  assert_int_equal(uvow__handshake_check_request(&http, &found), 0);
  assert_int_equal(uvow__handshake_write_accept(
                       &out, found.key,
                       uvow__handshake_choose_subprotocol(&http, chat, 2), NULL,
                       NULL, 0),
                   0);
  uvow__http_done(&http);
  assert_int_equal(uvow__buf_append(&out, "", 1), 0);
  read_head(&http, UVOW__HTTP_RESPONSE, (const char *)out.data);
  assert_int_equal(uvow__handshake_check_response(&http, request.key, chat, 2,
                                                  NULL, &subprotocol, &why),
                   0);
  assert_ptr_equal(subprotocol, chat[0]);
  uvow__http_done(&http);
  uvow__buf_done(&out);
}

/* One of the three writers, into out. */
static int write_one(int which, uvow__buf_t *out) {
  static const uvow__handshake_header_t header = {"A", "b"};
  uvow__handshake_request_t request = plain_request();
  request.user = "user";
  request.subprotocols = chat;
  request.subprotocol_count = 2;
  request.headers = &header;
  request.header_count = 1;
  if (which == 0)
    return uvow__handshake_write_request(out, &request);
  if (which == 1)
    return uvow__handshake_write_accept(out, UVOW__SLICE(KEY), "chat", NULL,
                                        &header, 1);
  return uvow__handshake_write_refusal(out, 426, "why");
}

TEST_CASE(writes_all_or_nothing) {
  for (int which = 0; which < 3; which++) {
    size_t max = 4;
    int rc = UVOW_EOVERLOAD;
    for (; rc == UVOW_EOVERLOAD; max++) {
      uvow__buf_t out;
      uvow__buf_init(&out, &uvow__mem_default, max);
      assert_int_equal(uvow__buf_append_text(&out, "??ab"), 0);
      uvow__buf_consume(&out, 2);
      rc = write_one(which, &out);
      if (rc)
        check_out(&out, "ab");
      uvow__buf_done(&out);
    }
    assert_int_equal(rc, 0);
    assert_true(max > 100);
  }
}

static void write_with(test_alloc_t *alloc, void *data) {
  uvow__buf_t out;
  uvow__buf_init(&out, &alloc->allocator, 4096);
  int rc = write_one(*(const int *)data, &out);
  assert_int_equal(rc, alloc->failed ? UVOW_ENOMEM : 0);
  if (rc)
    assert_int_equal(uvow__buf_size(&out), 0);
  uvow__buf_done(&out);
}

TEST_CASE(survives_no_memory) {
  for (int which = 0; which < 3; which++)
    test_alloc_sweep(write_with, &which);
}

TEST_MODULE(handshake) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(knows_the_rfcs_example),
      cmocka_unit_test(writes_requests),
      cmocka_unit_test(refuses_bad_text),
      cmocka_unit_test(refuses_bad_lists),
      cmocka_unit_test(checks_responses),
      cmocka_unit_test(nothing_offered_nothing_chosen),
      cmocka_unit_test(checks_requests),
      cmocka_unit_test(chooses_a_subprotocol),
      cmocka_unit_test(writes_answers),
      cmocka_unit_test(writes_refusals),
      cmocka_unit_test(sides_agree),
      cmocka_unit_test(writes_all_or_nothing),
      cmocka_unit_test(survives_no_memory),
  };
  return cmocka_run_group_tests_name("wire/handshake", tests, NULL, NULL);
}
