/* Sec-WebSocket-Extensions: its grammar, offers, answers, what is agreed on. */
#include "support/support.h"

#include <stdio.h>

#include <uvow/error.h>

#include "base/mem.h"
#include "wire/extension.h"
#include "wire/handshake.h"

#define D "permessage-deflate"
#define H "Sec-WebSocket-Extensions: "
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

/* Terms as text: "on 0 0 15 15", in the order of RFC 7692 7.1; "off". */
static const char *show(const uvow__deflate_terms_t *terms, char text[64]) {
  snprintf(text, 64, "on %d %d %d %d", terms->server_no_context_takeover,
           terms->client_no_context_takeover, terms->server_max_window_bits,
           terms->client_max_window_bits);
  return terms->on ? text : "off";
}

static uvow__deflate_terms_t terms_of(const char *text) {
  int s = 0, c = 0, sb = 0, cb = 0;
  uvow__deflate_terms_t terms;
  memset(&terms, 0, sizeof(terms));
  if (sscanf(text, "on %d %d %d %d", &s, &c, &sb, &cb) != 4)
    return terms;
  terms.on = 1;
  terms.server_no_context_takeover = (uint8_t)s;
  terms.client_no_context_takeover = (uint8_t)c;
  terms.server_max_window_bits = (uint8_t)sb;
  terms.client_max_window_bits = (uint8_t)cb;
  return terms;
}

/* The head of a message with these header lines. */
static void read_head(uvow__http_t *http, uvow__http_role_t role,
                      const char *front, const char *lines) {
  size_t used;
  uvow__http_init(http, &uvow__mem_default, role, UVOW__HTTP_MAX_HEAD);
  uvow__http_feed(http, front, strlen(front), &used);
  uvow__http_feed(http, lines, strlen(lines), &used);
  assert_int_equal(uvow__http_feed(http, "\r\n", 2, &used), 0);
}

static void read_request(uvow__http_t *http, const char *lines) {
  read_head(http, UVOW__HTTP_REQUEST,
            "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: " KEY "\r\n",
            lines);
}

static void read_response(uvow__http_t *http, const char *lines) {
  read_head(http, UVOW__HTTP_RESPONSE,
            "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
            "Sec-WebSocket-Accept: " ACCEPT "\r\n",
            lines);
}

TEST_CASE(knows_a_list_from_what_is_none) {
  static const struct {
    const char *lines;
    int ok;
  } cases[] = {
      {"", 1},
      {H "a\r\n", 1},
      {H "a, b\r\n" H "c;d\r\n", 1},
      {H "a;b=c;d=\"e\";f , g\r\n", 1},
      {H " a \t; b = c ; d =\t\"e\" \t,\tg\r\n", 1},
      {H ",,a, ,b,\r\n", 1},
      {H "\r\n" H "a\r\n", 1},
      {H "a;b=\"\\c\\1\"\r\n", 1},
      {H "!#$%&'*+-.^_`|~9;Z=z\r\n", 1},
      {"sec-websocket-EXTENSIONS: a b\r\n", 0},
      {H "\r\n", 1},
      {H ", ,\r\n", 1},
      {H "a b\r\n", 0},
      {H "a;\r\n", 0},
      {H "a;;b\r\n", 0},
      {H ";a\r\n", 0},
      {H "a;b=\r\n", 0},
      {H "a;=b\r\n", 0},
      {H "a=b\r\n", 0},
      {H "a;b=c=d\r\n", 0},
      {H "a;b=c d\r\n", 0},
      {H "a;b=\"c\r\n", 0},
      {H "a;b=\"c\\\r\n", 0},
      {H "a;b=\"\"\r\n", 0},
      {H "a;b=\"c d\"\r\n", 0},
      {H "a;b=\"c\"d\r\n", 0},
      {H "a;b=\"c,d\"\r\n", 0},
      {H "a;b=\"c\\\"d\"\r\n", 0},
      {H "a;b=(c)\r\n", 0},
      {H "\"a\"\r\n", 0},
      {H "a\r\n" H "b;\r\n", 0},
      {H "a, b;c=\xC3\xA9\r\n", 0},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    uvow__handshake_accepted_t found;
    uvow__http_t http;
    read_request(&http, cases[i].lines);
    int rc = uvow__extension_check(&http);
    if (rc != (cases[i].ok ? 0 : UVOW_EPROTO))
      fail_msg("%d: %s", rc, cases[i].lines);
    assert_int_equal(uvow__handshake_check_request(&http, &found),
                     cases[i].ok ? 0 : UVOW_EHANDSHAKE);
    assert_int_equal(found.status, cases[i].ok ? 101 : 400);
    uvow__http_done(&http);
  }
}

TEST_CASE(offers_what_is_wanted) {
  static const struct {
    const char *terms;
    const char *offer;
    const char *answer;
  } cases[] = {
      {"off", "", ""},
      {"on 0 0 15 15", D "; client_max_window_bits", D},
      {"on 1 0 15 15", D "; server_no_context_takeover; client_max_window_bits",
       D "; server_no_context_takeover"},
      {"on 0 1 15 9",
       D "; client_no_context_takeover; client_max_window_bits=9",
       D "; client_no_context_takeover; client_max_window_bits=9"},
      {"on 1 1 10 14",
       D "; server_no_context_takeover; client_no_context_takeover"
         "; server_max_window_bits=10; client_max_window_bits=14",
       D "; server_no_context_takeover; client_no_context_takeover"
         "; server_max_window_bits=10; client_max_window_bits=14"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    uvow__deflate_terms_t terms = terms_of(cases[i].terms);
    char text[UVOW__EXTENSION_TEXT];
    uvow__extension_offer(&terms, text);
    assert_string_equal(text, cases[i].offer);
    uvow__extension_answer(&terms, text);
    assert_string_equal(text, cases[i].answer);
  }
}

static const struct {
  const char *own;
  const char *lines;
  const char *agreed;
} offers[] = {
    {"on 0 0 15 15", "", "off"},
    {"off", H D "\r\n", "off"},
    {"on 0 0 15 15", H "x-other\r\n", "off"},
    {"on 0 0 15 15", H "Permessage-Deflate\r\n", "off"},
    {"on 0 0 15 15", H D "\r\n", "on 0 0 15 15"},
    {"on 0 0 15 15", H D "; server_no_context_takeover\r\n", "on 1 0 15 15"},
    {"on 0 0 15 15", H D "; client_no_context_takeover\r\n", "on 0 1 15 15"},
    {"on 1 1 15 15", H D "\r\n", "on 1 1 15 15"},
    {"on 0 0 15 15", H D "; server_max_window_bits=10\r\n", "on 0 0 10 15"},
    {"on 0 0 9 15", H D "; server_max_window_bits=10\r\n", "on 0 0 9 15"},
    {"on 0 0 12 15", H D "\r\n", "on 0 0 12 15"},
    {"on 0 0 15 15", H D "; server_max_window_bits=8\r\n", "off"},
    {"on 0 0 15 15", H D ";client_max_window_bits\r\n", "on 0 0 15 15"},
    {"on 0 0 15 10", H D ";client_max_window_bits\r\n", "on 0 0 15 10"},
    {"on 0 0 15 8", H D ";client_max_window_bits\r\n", "on 0 0 15 8"},
    {"on 0 0 15 15", H D ";client_max_window_bits=9\r\n", "on 0 0 15 9"},
    {"on 0 0 15 15", H D ";client_max_window_bits=8\r\n", "on 0 0 15 8"},
    {"on 0 0 15 10", H D ";client_max_window_bits=12\r\n", "on 0 0 15 10"},
    {"on 0 0 15 10", H D "\r\n", "on 0 0 15 15"}, /* it can't be asked to */
    {"on 0 0 15 15", H D ";server_max_window_bits=\"1\\0\"\r\n",
     "on 0 0 10 15"},
    /* What spoils an offer. */
    {"on 0 0 15 15", H D "; other\r\n", "off"},
    {"on 0 0 15 15", H D "; Server_no_context_takeover\r\n", "off"},
    {"on 0 0 15 15", H D "; server_no_context_takeover=1\r\n", "off"},
    {"on 0 0 15 15", H D "; client_no_context_takeover=\"1\"\r\n", "off"},
    {"on 0 0 15 15", H D "; server_max_window_bits\r\n", "off"},
    {"on 0 0 15 15", H D "; server_max_window_bits=7\r\n", "off"},
    {"on 0 0 15 15", H D "; server_max_window_bits=16\r\n", "off"},
    {"on 0 0 15 15", H D "; server_max_window_bits=010\r\n", "off"},
    {"on 0 0 15 15", H D "; server_max_window_bits=09\r\n", "off"},
    {"on 0 0 15 15", H D "; server_max_window_bits=+9\r\n", "off"},
    {"on 0 0 15 15", H D "; server_max_window_bits=100000\r\n", "off"},
    {"on 0 0 15 15", H D "; client_max_window_bits=0\r\n", "off"},
    {"on 0 0 15 15", H D "; client_max_window_bits=1\r\n", "off"},
    {"on 0 0 15 15", H D "; client_max_window_bits=x\r\n", "off"},
    {"on 0 0 15 15",
     H D "; client_max_window_bits; client_max_window_bits=9\r\n", "off"},
    {"on 0 0 15 15",
     H D ";server_no_context_takeover;server_no_context_takeover\r\n", "off"},
    /* The first that can be had. */
    {"on 0 0 15 15",
     H "x, " D "; server_max_window_bits=8, " D "; y, " D
       "; server_max_window_bits=9, " D "\r\n",
     "on 0 0 9 15"},
    {"on 0 0 15 15",
     H D "; server_max_window_bits=8\r\n" H "y\r\n" H D
         ";client_no_context_takeover\r\n",
     "on 0 1 15 15"},
};

TEST_CASE(a_server_agrees_to_what_it_can) {
  for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
    uvow__deflate_terms_t terms = terms_of(offers[i].own);
    uvow__http_t http;
    char text[64];
    read_request(&http, offers[i].lines);
    uvow__extension_choose(&http, &terms);
    if (strcmp(show(&terms, text), offers[i].agreed) != 0)
      fail_msg("%s: %s", offers[i].lines, show(&terms, text));
    uvow__http_done(&http);
  }
}

static const struct {
  const char *offered;
  const char *lines;
  const char *agreed; /* NULL: refused */
} answers[] = {
    {"off", "", "off"},
    {"on 1 1 9 9", "", "off"},
    {"on 0 0 15 15", H D "\r\n", "on 0 0 15 15"},
    {"on 0 0 15 15", H D ",\r\n", "on 0 0 15 15"},
    /* A server may want more. */
    {"on 0 0 15 15", H D ";server_no_context_takeover\r\n", "on 1 0 15 15"},
    {"on 0 0 15 15", H D ";client_no_context_takeover\r\n", "on 0 1 15 15"},
    {"on 0 0 15 15", H D ";server_max_window_bits=8\r\n", "on 0 0 8 15"},
    {"on 0 0 15 15", H D ";client_max_window_bits=8\r\n", "on 0 0 15 8"},
    {"on 0 0 15 15", H D ";client_max_window_bits=\"15\"\r\n", "on 0 0 15 15"},
    /* A wish about what the client sends holds without an answer. */
    {"on 0 1 15 10", H D "\r\n", "on 0 1 15 10"},
    {"on 0 1 15 10", H D ";client_max_window_bits=9\r\n", "on 0 1 15 9"},
    {"on 0 1 15 10", H D ";client_max_window_bits=11\r\n", NULL},
    /* One about what the server sends must be in it. */
    {"on 1 0 15 15", H D ";server_no_context_takeover\r\n", "on 1 0 15 15"},
    {"on 1 0 15 15", H D "\r\n", NULL},
    {"on 0 0 10 15", H D ";server_max_window_bits=10\r\n", "on 0 0 10 15"},
    {"on 0 0 10 15", H D ";server_max_window_bits=9\r\n", "on 0 0 9 15"},
    {"on 0 0 10 15", H D ";server_max_window_bits=11\r\n", NULL},
    {"on 0 0 10 15", H D "\r\n", NULL},
    /* Not offered, unknown, twice, without or with a wrong value. */
    {"off", H D "\r\n", NULL},
    {"on 0 0 15 15", H "other\r\n", NULL},
    {"on 0 0 15 15", H D ", other\r\n", NULL},
    {"on 0 0 15 15", H D ", " D "\r\n", NULL},
    {"on 0 0 15 15", H D "\r\n" H D "\r\n", NULL},
    {"on 0 0 15 15", H D "\r\n" H ",\r\n", NULL},
    /* None at all is no answer, whatever was offered. */
    {"on 0 0 15 15", H "\r\n", "off"},
    {"on 1 1 9 9", H ", ,\r\n", "off"},
    {"off", H "\r\n", "off"},
    {"on 0 0 15 15", H "\r\n" H "\r\n", NULL},
    {"on 0 0 15 15", H D ";\r\n", NULL},
    {"on 0 0 15 15", H D ", ;\r\n", NULL},
    {"on 0 0 15 15", H D ";other\r\n", NULL},
    {"on 0 0 15 15", H D ";server_max_window_bits\r\n", NULL},
    {"on 0 0 15 15", H D ";client_max_window_bits\r\n", NULL},
    {"on 0 0 15 15", H D ";client_max_window_bits=16\r\n", NULL},
    {"on 0 0 15 15", H D ";client_no_context_takeover=1\r\n", NULL},
    {"on 0 0 15 15",
     H D ";server_max_window_bits=9;server_max_window_bits=9\r\n", NULL},
};

TEST_CASE(a_client_holds_the_server_to_its_offer) {
  for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
    uvow__deflate_terms_t terms = terms_of(answers[i].offered);
    const char *subprotocol = "untouched";
    const char *why = NULL;
    uvow__http_t http;
    char text[64];
    read_response(&http, answers[i].lines);
    int rc = uvow__handshake_check_response(&http, KEY, NULL, 0, &terms,
                                            &subprotocol, &why);
    const char *want =
        answers[i].agreed ? answers[i].agreed : answers[i].offered;
    if (rc != (answers[i].agreed ? 0 : UVOW_EPROTO) ||
        strcmp(show(&terms, text), want) != 0)
      fail_msg("%d, %s: %s", rc, answers[i].lines, show(&terms, text));
    assert_int_equal(rc != 0, why != NULL);
    assert_int_equal(rc != 0, subprotocol != NULL);
    /* Who offered nothing gets nothing. */
    rc = uvow__handshake_check_response(&http, KEY, NULL, 0, NULL, &subprotocol,
                                        &why);
    int is_none = answers[i].agreed && !strstr(answers[i].lines, D);
    assert_int_equal(rc, is_none ? 0 : UVOW_EPROTO);
    uvow__http_done(&http);
  }
}

/* Both ends, for all that either may want. */
TEST_CASE(both_ends_agree_on_the_same) {
  static const char *const wishes[] = {
      "on 0 0 15 15", "on 1 0 15 15", "on 0 1 15 15", "on 1 1 9 9",
      "on 0 0 12 10", "on 0 1 10 12", "on 1 0 9 15",  "on 0 0 15 9"};
  for (size_t i = 0; i < 64; i++) {
    uvow__deflate_terms_t client = terms_of(wishes[i / 8]);
    uvow__deflate_terms_t server = terms_of(wishes[i % 8]);
    uvow__deflate_terms_t wanted = client;
    char text[UVOW__EXTENSION_TEXT], line[256], a[64], b[64];
    const char *why = NULL;
    uvow__http_t http;
    uvow__extension_offer(&client, text);
    snprintf(line, sizeof(line), H "%s\r\n", text);
    read_request(&http, line);
    uvow__extension_choose(&http, &server);
    uvow__http_done(&http);
    uvow__extension_answer(&server, text);
    snprintf(line, sizeof(line), H "%s\r\n", text);
    read_response(&http, line);
    assert_int_equal(uvow__extension_read_answer(&http, &client, &why), 0);
    uvow__http_done(&http);
    assert_string_equal(show(&client, a), show(&server, b));
    assert_true(client.on);
    assert_true(client.server_max_window_bits <= wanted.server_max_window_bits);
    assert_true(client.client_max_window_bits <= wanted.client_max_window_bits);
    assert_true(client.server_no_context_takeover >=
                wanted.server_no_context_takeover);
  }
}

/* What the header's writers do with it. */
TEST_CASE(the_handshake_carries_it) {
  static const uvow__slice_t key = {KEY, 24};
  uvow__handshake_request_t request;
  uvow__buf_t out;
  memset(&request, 0, sizeof(request));
  request.target = "/";
  request.authority = "h";
  request.key = KEY;
  uvow__buf_init(&out, &uvow__mem_default, 1000);
  for (int server = 0; server < 2; server++) {
    static const char *const values[] = {D "; x", "", "a\r\nb", NULL};
    for (size_t i = 0; i < 4; i++) {
      request.extensions = values[i];
      int rc = server ? uvow__handshake_write_accept(&out, key, NULL, values[i],
                                                     NULL, 0)
                      : uvow__handshake_write_request(&out, &request);
      assert_int_equal(rc, i == 2 ? UVOW_EINVAL : 0);
      assert_int_equal(uvow__buf_size(&out) == 0, i == 2);
      assert_int_equal(uvow__buf_append(&out, "", 1), 0);
      const char *text = (const char *)uvow__buf_front(&out);
      assert_int_equal(strstr(text, "\r\n" H D "; x\r\n") != NULL, i == 0);
      assert_int_equal(strstr(text, "Extensions") != NULL, i == 0);
      uvow__buf_clear(&out, 0);
    }
  }
  uvow__buf_done(&out);
}

TEST_MODULE(extension) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(knows_a_list_from_what_is_none),
      cmocka_unit_test(offers_what_is_wanted),
      cmocka_unit_test(a_server_agrees_to_what_it_can),
      cmocka_unit_test(a_client_holds_the_server_to_its_offer),
      cmocka_unit_test(both_ends_agree_on_the_same),
      cmocka_unit_test(the_handshake_carries_it),
  };
  return cmocka_run_group_tests_name("wire/extension", tests, NULL, NULL);
}
