/* ws:// and wss:// URLs: what comes out, and what is refused. */
#include "support/support.h"

#include <stdio.h>

#include <uvow/error.h>

#include "base/mem.h"
#include "wire/handshake.h"
#include "wire/url.h"

typedef struct good {
  const char *text;
  int secure;
  const char *host;
  uint16_t port;
  const char *authority;
  const char *target;
  const char *user;
  const char *password;
} good_t;

static const good_t goods[] = {
    {"ws://h", 0, "h", 80, "h", "/", NULL, NULL},
    {"wss://h", 1, "h", 443, "h", "/", NULL, NULL},
    {"WSS://ExAmple.COM/A?B=c", 1, "example.com", 443, "example.com", "/A?B=c",
     NULL, NULL},
    {"ws://h:80/", 0, "h", 80, "h", "/", NULL, NULL},
    {"wss://h:443/", 1, "h", 443, "h", "/", NULL, NULL},
    {"ws://h:443/", 0, "h", 443, "h:443", "/", NULL, NULL},
    {"wss://h:80/", 1, "h", 80, "h:80", "/", NULL, NULL},
    {"ws://h:/x", 0, "h", 80, "h", "/x", NULL, NULL},
    {"ws://h:0008080", 0, "h", 8080, "h:8080", "/", NULL, NULL},
    {"ws://h:1", 0, "h", 1, "h:1", "/", NULL, NULL},
    {"ws://h:65535", 0, "h", 65535, "h:65535", "/", NULL, NULL},
    {"ws://h?", 0, "h", 80, "h", "/?", NULL, NULL},
    {"ws://h?a=1", 0, "h", 80, "h", "/?a=1", NULL, NULL},
    {"ws://h/a/../b//?x?y/z:@", 0, "h", 80, "h", "/a/../b//?x?y/z:@", NULL,
     NULL},
    {"ws://h/%20%2f?a[]={b}|c^d`e", 0, "h", 80, "h", "/%20%2f?a[]={b}|c^d`e",
     NULL, NULL},
    {"ws://127.0.0.1:9/", 0, "127.0.0.1", 9, "127.0.0.1:9", "/", NULL, NULL},
    {"ws://[::1]", 0, "::1", 80, "[::1]", "/", NULL, NULL},
    {"ws://[2001:DB8::A]:81/p", 0, "2001:db8::a", 81, "[2001:db8::a]:81", "/p",
     NULL, NULL},
    {"ws://u@h", 0, "h", 80, "h", "/", "u", NULL},
    {"ws://u:p@h:1", 0, "h", 1, "h:1", "/", "u", "p"},
    {"ws://u:@h", 0, "h", 80, "h", "/", "u", ""},
    {"ws://:p@h", 0, "h", 80, "h", "/", "", "p"},
    {"ws://@h", 0, "h", 80, "h", "/", NULL, NULL},
    {"ws://a%40b:p:q%2F%c3%a9@h", 0, "h", 80, "h", "/", "a@b", "p:q/\xc3\xa9"},
    {"ws://u@[::1]:8", 0, "::1", 8, "[::1]:8", "/", "u", NULL},
    {"ws://h/u@x", 0, "h", 80, "h", "/u@x", NULL, NULL},
    {"ws://%45x-a_m~p%2Dle.org.", 0, "ex-a_m~p-le.org.", 80, "ex-a_m~p-le.org.",
     "/", NULL, NULL},
    {"ws://a!$&'()*+;=b", 0, "a!$&'()*+;=b", 80, "a!$&'()*+;=b", "/", NULL,
     NULL},
};

static const char *const bads[] = {
    "", ":", "://h", "ws", "ws:", "ws:h", "ws:/h", "ws//h", "h/p", "1ws://h",
    "w_s://h", "ws//h:80",
    /* no host */
    "ws://", "ws:///", "ws://:80", "ws://?q", "ws://u@", "ws://u@:80/",
    "ws://[]", "ws://[]:80",
    /* fragments */
    "ws://h#", "ws://h/#f", "ws://h/?q#f", "ws://h#@x/",
    /* bytes */
    " ws://h", "ws://h ", "ws://h/a b", "ws://h/\t", "ws://h/\r\nX: y",
    "ws://h/\n", "ws://h/\x7f", "ws://h/\x01", "ws://h/\xc3\xa9",
    "ws://\xc3\xa9/", "ws://h\\x/", "ws://h/\\", "ws://h/\"", "ws://h/<",
    "ws://h/>",
    /* ports */
    "ws://h:0", "ws://h:00", "ws://h:65536", "ws://h:99999999999999999999",
    "ws://h:4294967376", "ws://h:8a", "ws://h:+80", "ws://h:-1", "ws://h:80:80",
    "ws://h::80", "ws://[::1]:x",
    /* escapes */
    "ws://h/%", "ws://h/%2", "ws://h/%2g", "ws://h/%g2", "ws://h/?%%20",
    "ws://h/%2", "ws://%/", "ws://%4/", "ws://%zz/", "ws://u%@h", "ws://u:%1@h",
    "ws://u%00@h", "ws://u:%0d%0a@h", "ws://u:%7f@h", "ws://h%00",
    "ws://h%2fx/", "ws://h%40x/", "ws://h%21/", "ws://h%c3%a9/",
    /* brackets */
    "ws://[::1", "ws://::1]", "ws://::1/", "ws://[::1]x", "ws://[::1]]",
    "ws://[[::1]]", "ws://[h]", "ws://a[::1]", "ws://[::1%25eth0]",
    "ws://[v1.a]", "ws://h]", "ws://[127.0.0.1]",
    /* more than one @, and what isn't in a host or a user */
    "ws://a@b@c", "ws://u@h:80@x", "ws://h|/", "ws://h^", "ws://u[@h",
    "ws://u|@h", "ws://u\\@h", "ws://h<",
    /* what Basic can't say, and what Host can't */
    "ws://a%3ab@h", "ws://u%09:p@h", "ws://u:%09@h", "ws://a,b/", "ws://,/",
    /* labels: some are missing */
    "ws://.", "ws://.a", "ws://a..b", "ws://a..", "ws://%2e/"};

static const char *const others[] = {
    "http://h/",   "https://h/#f", "wsx://h",          "w://h", "wsss://h",
    "wss+unix:/h", "mailto:a@b",   "localhost:8080/x", "a:",    "H-T.t+p2:"};

typedef struct socket_url {
  const char *text;
  const char *path;
  const char *target;
} socket_url_t;

static const socket_url_t sockets[] = {
    {"ws+unix:///run/s", "/run/s", "/"},
    {"WS+Unix:/run/s", "/run/s", "/"},
    {"ws+unix:///run/s:", "/run/s", "/"},
    {"ws+unix:///run/s:/a/b?c=1:2", "/run/s", "/a/b?c=1:2"},
    {"ws+unix:///run/s:/x:y", "/run/s", "/x:y"},
    {"ws+unix:///run/s:?q", "/run/s", "/?q"},
    {"ws+unix:///run/s?q=/", "/run/s", "/?q=/"},
    {"ws+unix:///a%20b%3Ac%3Fd%25%c3%a9", "/a b:c?d%\xc3\xa9", "/"},
    {"ws+unix:///u@h", "/u@h", "/"},
    {"ws+unix:////x", "//x", "/"},
};

static const char *const bad_sockets[] = {
    "ws+unix:",        "ws+unix://",     "ws+unix:x",        "ws+unix:./x",
    "ws+unix://h",     "ws+unix://h/x",  "ws+unix://u:p@/x", "ws+unix:?q",
    "ws+unix://:/x",   "ws+unix:///x#f", "ws+unix:///x:y",   "ws+unix:///x:80",
    "ws+unix:///x:#",  "ws+unix:///%00", "ws+unix:///%0a",   "ws+unix:///%7F",
    "ws+unix:///%",    "ws+unix:///%2",  "ws+unix:///%zz",   "ws+unix:///a b",
    "ws+unix:///a\\b", "ws+unix:///<",   "ws+unix:///x:/%",  "ws+unix:///\"",
    "+unix:///x"};

static const char *const ipv6_good[] = {"::",
                                        "::1",
                                        "1::",
                                        "1:2:3:4:5:6:7:8",
                                        "1:2:3:4:5:6:7::",
                                        "::2:3:4:5:6:7:8",
                                        "1::3:4:5:6:7:8",
                                        "abcd:EF01::",
                                        "::ffff:1.2.3.4",
                                        "1:2:3:4:5:6:1.2.3.4",
                                        "1::1.2.3.4",
                                        "1:2:3:4:5::1.2.3.4",
                                        "::255.255.255.255",
                                        "0000::0"};

static const char *const ipv6_bad[] = {":",
                                       ":::",
                                       "1",
                                       "1:",
                                       ":1",
                                       "1:::2",
                                       ":1:2:3:4:5:6:7",
                                       ":1:2:3:4:5:6:7:8",
                                       "1:2:3:4:5:6:7",
                                       "1:2:3:4:5:6:7:",
                                       "1:2:3:4:5:6:7:8:9",
                                       "1:2:3:4:5:6:7:8:",
                                       "1::2::3",
                                       "1:2:3:4:5:6:7:8::",
                                       "1:2:3:4::5:6:7:8",
                                       "12345::",
                                       "g::",
                                       "::1.2.3",
                                       "::1.2.3.4.5",
                                       "::1.2.3.256",
                                       "::01.2.3.4",
                                       "::1.2.3.4:5",
                                       "1:2:3:4:5:6:7:1.2.3.4",
                                       "1:2:3:4:5:6::1.2.3.4",
                                       "::1..3.4",
                                       "::.2.3.4",
                                       "1.2.3.4::",
                                       "::1:"};

/* What a URL gives stands in a request, and in one for a proxy. */
static void ask_for(const uvow__url_t *url) {
  uvow__handshake_request_t request = {0};
  uvow__buf_t out;
  uvow__buf_init(&out, &uvow__mem_default, SIZE_MAX);
  request.target = url->target;
  request.authority = url->authority;
  request.user = url->user;
  request.password = url->password;
  request.key = "dGhlIHNhbXBsZSBub25jZQ==";
  assert_int_equal(uvow__handshake_write_request(&out, &request), 0);
  uvow__buf_done(&out);
}

static int parse(const char *text, size_t len, uvow__url_t *ret) {
  /* a copy without a NUL: reading past the end shows */
  char *exact = (char *)malloc(len ? len : 1);
  assert_non_null(exact);
  memcpy(exact, text, len);
  int rc = uvow__url_parse(&uvow__mem_default, exact, len, ret);
  free(exact);
  if (rc == 0)
    ask_for(ret);
  return rc;
}

static void check_text(const char *is, const char *expected) {
  if (expected) {
    assert_non_null(is);
    assert_string_equal(is, expected);
  } else {
    assert_null(is);
  }
}

TEST_CASE(takes_apart) {
  for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
    const good_t *good = &goods[i];
    uvow__url_t url;
    assert_int_equal(parse(good->text, strlen(good->text), &url), 0);
    assert_int_equal(url.secure, good->secure);
    assert_int_equal(url.port, good->port);
    check_text(url.host, good->host);
    check_text(url.authority, good->authority);
    check_text(url.target, good->target);
    check_text(url.user, good->user);
    check_text(url.password, good->password);
    assert_null(url.path);
    uvow__url_done(&url);
    assert_null(url.host);
    uvow__url_done(&url);
  }
}

static void fails_with(const char *text, size_t len, int code);

TEST_CASE(knows_sockets) {
  for (size_t i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++) {
    uvow__url_t url;
    assert_int_equal(parse(sockets[i].text, strlen(sockets[i].text), &url), 0);
    assert_int_equal(url.secure, 0);
    assert_int_equal(url.port, 80);
    check_text(url.path, sockets[i].path);
    check_text(url.target, sockets[i].target);
    check_text(url.host, "localhost");
    check_text(url.authority, "localhost");
    check_text(url.user, NULL);
    uvow__url_done(&url);
  }
  for (size_t i = 0; i < sizeof(bad_sockets) / sizeof(bad_sockets[0]); i++)
    fails_with(bad_sockets[i], strlen(bad_sockets[i]), UVOW_EURL);
}

static void fails_with(const char *text, size_t len, int code) {
  uvow__url_t url, before;
  memset(&before, 0x5a, sizeof(before));
  memcpy(&url, &before, sizeof(url));
  int rc = parse(text, len, &url);
  if (rc != code)
    print_error("%s: %d\n", text, rc);
  assert_int_equal(rc, code);
  assert_memory_equal(&url, &before, sizeof(url));
}

TEST_CASE(refuses) {
  for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++)
    fails_with(bads[i], strlen(bads[i]), UVOW_EURL);
  fails_with("ws://h/\0", 8, UVOW_EURL);
  fails_with("ws://h\0x/", 9, UVOW_EURL);
  fails_with("\0", 1, UVOW_EURL);
}

TEST_CASE(knows_other_schemes) {
  for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
    fails_with(others[i], strlen(others[i]), UVOW_ESCHEME);
}

TEST_CASE(knows_ipv6) {
  char text[80];
  uvow__url_t url;
  for (size_t i = 0; i < sizeof(ipv6_good) / sizeof(ipv6_good[0]); i++) {
    snprintf(text, sizeof(text), "ws://[%s]/", ipv6_good[i]);
    if (parse(text, strlen(text), &url))
      fail_msg("refused: %s", text);
    uvow__url_done(&url);
  }
  for (size_t i = 0; i < sizeof(ipv6_bad) / sizeof(ipv6_bad[0]); i++) {
    snprintf(text, sizeof(text), "ws://[%s]/", ipv6_bad[i]);
    fails_with(text, strlen(text), UVOW_EURL);
  }
}

/* Whatever byte stands in a place, nothing but visible ASCII comes out. */
TEST_CASE(checks_every_byte) {
  static const char *const shapes[] = {"ws://h/a*b",   "ws://h*/",
                                       "ws://u*:p@h",  "ws://h/?*",
                                       "ws+unix:/a*b", "ws+unix:/a:/*"};
  for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++) {
    for (int c = 0; c < 256; c++) {
      char text[16];
      uvow__url_t url;
      size_t len = strlen(shapes[s]);
      memcpy(text, shapes[s], len);
      *(char *)memchr(text, '*', len) = (char)c;
      if (c <= ' ' || c >= 0x7f || c == '#' || c == '%' || c == '\\')
        fails_with(text, len, UVOW_EURL);
      else if (parse(text, len, &url) == 0)
        uvow__url_done(&url);
    }
  }
}

TEST_CASE(has_a_limit) {
  static char text[UVOW__URL_MAX + 1];
  uvow__url_t url;
  memset(text, 'a', sizeof(text));
  memcpy(text, "ws://h/", 7);
  assert_int_equal(parse(text, UVOW__URL_MAX, &url), 0);
  assert_int_equal(strlen(url.target), UVOW__URL_MAX - 6);
  uvow__url_done(&url);
  fails_with(text, UVOW__URL_MAX + 1, UVOW_EURL);
  memset(text + 5, 'h', sizeof(text) - 5);
  fails_with(text, UVOW__URL_MAX, UVOW_EURL); /* no name is so long */
}

/* Every start of a good URL is good or an error, and leaks nothing. */
TEST_CASE(survives_every_start) {
  for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
    for (size_t len = 0; len < strlen(goods[i].text); len++) {
      uvow__url_t url;
      if (parse(goods[i].text, len, &url) == 0)
        uvow__url_done(&url);
    }
  }
}

static void parse_with(test_alloc_t *alloc, void *data) {
  const char *text = (const char *)data;
  uvow__url_t url;
  int rc = uvow__url_parse(&alloc->allocator, text, strlen(text), &url);
  assert_int_equal(rc, alloc->failed ? UVOW_ENOMEM : 0);
  if (rc == 0)
    uvow__url_done(&url);
}

TEST_CASE(survives_no_memory) {
  char full[] = "wss://user:pass@[::1]:8080/path?query";
  char plain[] = "ws://h";
  char of_socket[] = "ws+unix:///a%20b:/c";
  test_alloc_sweep(parse_with, full);
  test_alloc_sweep(parse_with, plain);
  test_alloc_sweep(parse_with, of_socket);
}

/* RFC 1035 3.1: 253 bytes in labels of 63, and perhaps the root's dot. */
TEST_CASE(test_long_names) {
  for (size_t len = 251; len < 256; len++)
    for (int dot = 0; dot < 2; dot++)
      for (size_t label = 62; label < 66; label++) {
        char text[300] = "ws://";
        uvow__url_t url;
        memset(text + 5, 'a', len);
        for (size_t at = label; at < len; at += label + 1)
          text[5 + at] = '.';
        if (text[5 + len - 1] == '.')
          text[5 + len - 1] = 'a';
        memcpy(text + 5 + len, dot ? "./" : "/", (size_t)dot + 2);
        int rc = parse(text, strlen(text), &url);
        assert_int_equal(rc, len > 253 || label > 63 ? UVOW_EURL : 0);
        if (rc == 0)
          uvow__url_done(&url);
      }
}

TEST_MODULE(url) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_long_names),
      cmocka_unit_test(takes_apart),
      cmocka_unit_test(refuses),
      cmocka_unit_test(knows_other_schemes),
      cmocka_unit_test(knows_sockets),
      cmocka_unit_test(knows_ipv6),
      cmocka_unit_test(checks_every_byte),
      cmocka_unit_test(has_a_limit),
      cmocka_unit_test(survives_every_start),
      cmocka_unit_test(survives_no_memory),
  };
  return cmocka_run_group_tests_name("wire/url", tests, NULL, NULL);
}
