/*
 * Sec-WebSocket-Extensions (RFC 6455 9.1), and what is agreed on by it about
 * permessage-deflate (RFC 7692 7.1).
 *
 *   next_extension -> read_extension -> read_param -> read_token, read_quoted
 *                                    -> add_param
 *
 * 1. A list that isn't one is an error whatever else it says; a parameter that
 *    permessage-deflate doesn't have spoils that one offer only.
 * 2. A server agrees to nothing that zlib can't do: see deflate.c on windows of
 *    8 bits. A client that is asked for one sends uncompressed.
 * 3. An endpoint's own wish about what it sends holds even if the answer does
 *    not mention it; one about what the peer sends must be in the answer.
 */
#include "extension.h"

#include <stdio.h>
#include <string.h>

#include <uvow/error.h>

#define HEADER "Sec-WebSocket-Extensions"
#define DEFLATE "permessage-deflate"
#define BITS_MIN 8
#define BITS_MAX 15

/* The parameters, and bits of extension_t.seen. */
enum {
  SERVER_NO_TAKEOVER = 1,
  CLIENT_NO_TAKEOVER = 2,
  SERVER_BITS = 4,
  CLIENT_BITS = 8
};

static const char *const params[] = {
    "server_no_context_takeover", "client_no_context_takeover",
    "server_max_window_bits", "client_max_window_bits"};

typedef struct scan {
  const char *at;
  const char *end;
} scan_t;

/* A parameter's value. Those that mean something have one or two digits. */
typedef struct value {
  int given;
  size_t len;
  char front[4];
} value_t;

/* One member of the list. */
typedef struct extension {
  int is_deflate;
  int spoiled;   /* a parameter unknown, twice, or with a wrong value */
  unsigned seen; /* its parameters */
  uint8_t server_bits;
  uint8_t client_bits; /* 0: without a value */
} extension_t;

static int is_token_char(char c) {
  uvow__slice_t text = {&c, 1};
  return uvow__http_is_token(text);
}

static void skip_blanks(scan_t *scan) {
  while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\t'))
    scan->at++;
}

/* Whether this is next; then it's behind it, and the blanks that follow. */
static int take(scan_t *scan, char c) {
  if (scan->at == scan->end || *scan->at != c)
    return 0;
  scan->at++;
  skip_blanks(scan);
  return 1;
}

static int read_token(scan_t *scan, uvow__slice_t *ret) {
  const char *begin = scan->at;
  while (scan->at < scan->end && is_token_char(*scan->at))
    scan->at++;
  if (scan->at == begin)
    return UVOW_EPROTO;
  ret->ptr = begin;
  ret->len = (size_t)(scan->at - begin);
  skip_blanks(scan);
  return 0;
}

static void add_char(value_t *value, char c) {
  if (value->len < sizeof(value->front))
    value->front[value->len] = c;
  value->len++;
}

/* RFC 6455 9.1: what is in the quotes must be a token once it's unescaped. */
static int read_quoted(scan_t *scan, value_t *value) {
  for (scan->at++; scan->at < scan->end; scan->at++) {
    if (*scan->at == '"' && value->len) {
      scan->at++;
      skip_blanks(scan);
      return 0;
    }
    if (*scan->at == '\\' && ++scan->at == scan->end)
      break;
    if (!is_token_char(*scan->at))
      break;
    add_char(value, *scan->at);
  }
  return UVOW_EPROTO;
}

static int read_value(scan_t *scan, value_t *value) {
  uvow__slice_t token;
  value->given = 1;
  if (scan->at < scan->end && *scan->at == '"')
    return read_quoted(scan, value);
  int rc = read_token(scan, &token);
  for (size_t i = 0; rc == 0 && i < token.len; i++)
    add_char(value, token.ptr[i]);
  return rc;
}

/* RFC 7692 7.1.2: 8 to 15, no leading zeros. 0: it isn't. */
static uint8_t bits_of(const value_t *value) {
  uint64_t bits = 0;
  uvow__slice_t text = {value->front, value->len};
  if (value->len > 2 || uvow__slice_u64(text, BITS_MAX, &bits) ||
      bits < BITS_MIN)
    return 0;
  return (uint8_t)bits;
}

/* RFC 7692 7.1: which parameters there are, each once, and their values. */
static void add_param(extension_t *ext, uvow__slice_t name,
                      const value_t *value) {
  uint8_t bits = bits_of(value);
  unsigned param = 1;
  for (size_t i = 0; param <= CLIENT_BITS; i++, param <<= 1)
    if (uvow__slice_is(name, params[i]))
      break;
  int wrong = param < SERVER_BITS
                  ? value->given
                  : bits == 0 && (value->given || param == SERVER_BITS);
  if (param > CLIENT_BITS || (ext->seen & param) || wrong)
    ext->spoiled = 1;
  ext->seen |= param;
  if (param == SERVER_BITS)
    ext->server_bits = bits;
  else if (param == CLIENT_BITS)
    ext->client_bits = bits;
}

static int read_param(scan_t *scan, extension_t *ext) {
  uvow__slice_t name;
  value_t value = {0, 0, {0}};
  int rc = read_token(scan, &name);
  if (rc == 0 && take(scan, '='))
    rc = read_value(scan, &value);
  if (rc == 0)
    add_param(ext, name, &value);
  return rc;
}

static int read_extension(scan_t *scan, extension_t *ext) {
  uvow__slice_t name;
  memset(ext, 0, sizeof(*ext));
  int rc = read_token(scan, &name);
  if (rc)
    return rc;
  ext->is_deflate = uvow__slice_is(name, DEFLATE);
  while (rc == 0 && take(scan, ';'))
    rc = read_param(scan, ext);
  if (rc == 0 && scan->at < scan->end && *scan->at != ',')
    rc = UVOW_EPROTO;
  return rc;
}

/* The next extension of all fields, from *list on: 1, 0: no more, or
 * UVOW_EPROTO. */
static int next_extension(const uvow__http_t *http, uvow__http_list_t *list,
                          extension_t *ext) {
  for (; list->field < uvow__http_count(http); list->field++, list->off = 0) {
    uvow__slice_t name, value;
    uvow__http_field(http, list->field, &name, &value);
    if (!uvow__slice_is_nocase(name, HEADER))
      continue;
    scan_t scan = {value.ptr + list->off, value.ptr + value.len};
    skip_blanks(&scan);
    while (take(&scan, ','))
      ;
    if (scan.at == scan.end)
      continue;
    int rc = read_extension(&scan, ext);
    list->off = (size_t)(scan.at - value.ptr);
    return rc ? rc : 1;
  }
  return 0;
}

int uvow__extension_check(const uvow__http_t *http) {
  uvow__http_list_t list = {0, 0};
  extension_t ext;
  int rc;
  do
    rc = next_extension(http, &list, &ext);
  while (rc > 0);
  return rc;
}

/* Names the parameters in the order of RFC 7692. client_bits: "" to leave it
 * out, or what follows the name. */
static void write_terms(const uvow__deflate_terms_t *terms,
                        const char *client_bits, char *ret) {
  char server_bits[32] = "";
  if (terms->server_max_window_bits < BITS_MAX || terms->asked_server_bits)
    snprintf(server_bits, sizeof(server_bits), "; %s=%d", params[2],
             terms->server_max_window_bits);
  snprintf(
      ret, UVOW__EXTENSION_TEXT, DEFLATE "%s%s%s%s",
      terms->server_no_context_takeover ? "; server_no_context_takeover" : "",
      terms->client_no_context_takeover ? "; client_no_context_takeover" : "",
      server_bits, client_bits);
}

static void write_client_bits(const uvow__deflate_terms_t *terms,
                              char ret[32]) {
  snprintf(ret, 32, "; %s=%d", params[3], terms->client_max_window_bits);
}

/* RFC 7692 7.1.2.2: a client that doesn't name client_max_window_bits can't be
 * asked to use less. */
void uvow__extension_offer(const uvow__deflate_terms_t *terms,
                           char ret[UVOW__EXTENSION_TEXT]) {
  char client_bits[32] = "; client_max_window_bits";
  ret[0] = '\0';
  if (!terms->on)
    return;
  if (terms->client_max_window_bits < BITS_MAX)
    write_client_bits(terms, client_bits);
  write_terms(terms, client_bits, ret);
}

void uvow__extension_answer(const uvow__deflate_terms_t *terms,
                            char ret[UVOW__EXTENSION_TEXT]) {
  char client_bits[32] = "";
  ret[0] = '\0';
  if (!terms->on)
    return;
  if (terms->client_max_window_bits < BITS_MAX)
    write_client_bits(terms, client_bits);
  write_terms(terms, client_bits, ret);
}

/* RFC 7692 7.1.1.1, 7.1.1.2, 7.1.2.1 and 7.1.2.2: "A server accepts ...". */
static const char *judge_answer(const extension_t *ext,
                                const uvow__deflate_terms_t *offered) {
  uint8_t client_bits = ext->client_bits;
  if (!ext->is_deflate)
    return "an extension that wasn't offered";
  if (ext->spoiled || ((ext->seen & CLIENT_BITS) && !client_bits))
    return "a malformed parameter of permessage-deflate";
  if (offered->server_no_context_takeover && !(ext->seen & SERVER_NO_TAKEOVER))
    return "server_no_context_takeover was offered and is not in the answer";
  if (offered->server_max_window_bits < BITS_MAX && !ext->server_bits)
    return "server_max_window_bits was offered and is not in the answer";
  if (ext->server_bits > offered->server_max_window_bits)
    return "server_max_window_bits over the one offered";
  if (client_bits > offered->client_max_window_bits)
    return "client_max_window_bits over the one offered";
  return NULL;
}

int uvow__extension_read_answer(const uvow__http_t *http,
                                uvow__deflate_terms_t *terms,
                                const char **ret_why) {
  uvow__http_list_t list = {0, 0};
  extension_t ext, more;
  const char *why = NULL;
  /* RFC 6455 11.3.2: a response has it once. */
  if (uvow__http_header(http, HEADER, NULL) > 1 || uvow__extension_check(http))
    why = HEADER " isn't one list";
  else if (next_extension(http, &list, &ext) == 0) {
    terms->on = 0; /* it's missing, or empty */
    return 0;
  }
  if (!why && !terms->on)
    why = "an extension that wasn't offered";
  if (!why)
    why = judge_answer(&ext, terms);
  if (!why && next_extension(http, &list, &more))
    why = "more than one extension";
  if (why) {
    *ret_why = why;
    return UVOW_EPROTO;
  }
  terms->server_no_context_takeover = (ext.seen & SERVER_NO_TAKEOVER) != 0;
  if (ext.seen & CLIENT_NO_TAKEOVER)
    terms->client_no_context_takeover = 1;
  terms->server_max_window_bits = ext.server_bits ? ext.server_bits : BITS_MAX;
  if (ext.client_bits)
    terms->client_max_window_bits = ext.client_bits;
  return 0;
}

/* Whether a server can have it: then *terms is what is agreed on. */
static int agree(const extension_t *ext, uvow__deflate_terms_t *terms) {
  if (!ext->is_deflate || ext->spoiled || ext->server_bits == BITS_MIN)
    return 0;
  if (ext->seen & SERVER_NO_TAKEOVER)
    terms->server_no_context_takeover = 1;
  if (ext->seen & CLIENT_NO_TAKEOVER)
    terms->client_no_context_takeover = 1;
  if (ext->server_bits && ext->server_bits < terms->server_max_window_bits)
    terms->server_max_window_bits = ext->server_bits;
  terms->asked_server_bits = ext->server_bits != 0;
  if (!(ext->seen & CLIENT_BITS))
    terms->client_max_window_bits = BITS_MAX;
  else if (ext->client_bits && ext->client_bits < terms->client_max_window_bits)
    terms->client_max_window_bits = ext->client_bits;
  return 1;
}

void uvow__extension_choose(const uvow__http_t *http,
                            uvow__deflate_terms_t *terms) {
  uvow__http_list_t list = {0, 0};
  extension_t ext;
  while (terms->on && next_extension(http, &list, &ext) > 0)
    if (agree(&ext, terms))
      return;
  terms->on = 0;
}
