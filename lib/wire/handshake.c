/*
 * The opening handshake of RFC 6455 section 4, both sides.
 *
 * 1. Everything is checked before the first byte is written, and what fails
 *    midway (no memory, a full buffer) takes back what it wrote: a buffer never
 *    holds half a head.
 * 2. Text given by the caller can't end a line: names and subprotocols are
 *    tokens, values hold no control bytes.
 * 3. A header of the handshake's own can't be given a second time.
 * 4. A check says what is wrong in static text; nothing of the peer's is in it.
 *
 * Not here: what extensions mean (extension.c), redirects, authentication
 * beyond Basic, and whether an Origin is welcome.
 */
#include "handshake.h"

#include <string.h>

#include <uvow/error.h>

#include "base/hash.h"
#include "base/text.h"
#include "base64.h"

#define CRLF "\r\n"

/* RFC 6455 1.3. */
static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

void uvow__handshake_key(const uint8_t nonce[UVOW__HANDSHAKE_NONCE],
                         char ret[UVOW__HANDSHAKE_KEY + 1]) {
  uvow__base64_encode(nonce, UVOW__HANDSHAKE_NONCE, ret);
}

int uvow__handshake_accept(const char *key, size_t len,
                           char ret[UVOW__HANDSHAKE_ACCEPT + 1]) {
  const uvow__slice_t pieces[] = {{key, len}, UVOW__SLICE(guid)};
  uint8_t hash[UVOW__SHA1];
  if (len != UVOW__HANDSHAKE_KEY)
    return UVOW_EINVAL;
  int rc = uvow__sha1(pieces, 2, hash);
  if (rc == 0)
    uvow__base64_encode(hash, sizeof(hash), ret);
  return rc;
}

/* RFC 6455 4.1: base64 of 16 bytes. */
static int is_key(uvow__slice_t key) {
  uint8_t nonce[UVOW__HANDSHAKE_NONCE];
  size_t len;
  return uvow__base64_decode(key.ptr, key.len, nonce, sizeof(nonce), &len) ==
             0 &&
         len == sizeof(nonce);
}

/* Not empty, visible ASCII, and nothing that ends an authority. */
static int is_authority(uvow__slice_t text) {
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (c <= ' ' || c > '~' || strchr("/?#@\\\"<>,", c))
      return 0;
  }
  return text.len > 0;
}

/* RFC 9112 3.2.1. */
static int is_origin_form(uvow__slice_t text) {
  for (size_t i = 0; i < text.len; i++)
    if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || text.ptr[i] == '#')
      return 0;
  return text.len > 0 && text.ptr[0] == '/';
}

static int starts_with(uvow__slice_t text, const char *prefix) {
  uvow__slice_t front = {text.ptr, strlen(prefix)};
  return text.len >= front.len && uvow__slice_is_nocase(front, prefix);
}

/* Whether a name is the handshake's own; a body's would make the peer wait. */
static int is_reserved(uvow__slice_t name) {
  static const char *const names[] = {"Host", "Upgrade", "Connection",
                                      "Content-Length", "Transfer-Encoding"};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    if (uvow__slice_is_nocase(name, names[i]))
      return 1;
  return starts_with(name, "Sec-WebSocket-");
}

static int check_headers(const uvow__handshake_header_t *headers,
                         size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (!headers[i].name || !headers[i].value)
      return UVOW_EINVAL;
    uvow__slice_t name = uvow__slice_of(headers[i].name);
    if (!uvow__http_is_token(name) || is_reserved(name) ||
        !uvow__http_is_value(uvow__slice_of(headers[i].value)))
      return UVOW_EINVAL;
  }
  return 0;
}

/* RFC 6455 4.1: tokens, all unique. */
static int check_subprotocols(const char *const *subprotocols, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (!subprotocols[i] ||
        !uvow__http_is_token(uvow__slice_of(subprotocols[i])))
      return UVOW_EINVAL;
    for (size_t j = 0; j < i; j++)
      if (strcmp(subprotocols[i], subprotocols[j]) == 0)
        return UVOW_EINVAL;
  }
  return 0;
}

/* RFC 7617 2: no colon in a user, no control bytes in either. */
static int check_auth(const char *user, const char *password) {
  if (!user)
    return password ? UVOW_EINVAL : 0;
  for (const char *c = user; *c; c++)
    if (*c == ':' || *c == '\t')
      return UVOW_EINVAL;
  if (password && strchr(password, '\t'))
    return UVOW_EINVAL;
  return uvow__http_is_value(uvow__slice_of(user)) &&
                 (!password || uvow__http_is_value(uvow__slice_of(password)))
             ? 0
             : UVOW_EINVAL;
}

static int is_optional_value(const char *text) {
  return !text || uvow__http_is_value(uvow__slice_of(text));
}

/* NULL, or visible ASCII, and some. */
static int is_optional_word(const char *text) {
  const char *c = text;
  while (c && *c > ' ' && *c <= '~')
    c++;
  return !text || (c > text && *c == '\0');
}

static int check_request(const uvow__handshake_request_t *request) {
  if (!request->target || !request->authority || !request->key)
    return UVOW_EINVAL;
  if (!is_origin_form(uvow__slice_of(request->target)) ||
      !is_authority(uvow__slice_of(request->authority)) ||
      !is_key(uvow__slice_of(request->key)) ||
      !is_optional_value(request->extensions))
    return UVOW_EINVAL;
  if (!is_optional_word(request->bearer) || !is_optional_word(request->origin))
    return UVOW_EINVAL;
  int rc = check_auth(request->user, request->password);
  if (rc == 0)
    rc = check_subprotocols(request->subprotocols, request->subprotocol_count);
  if (rc == 0)
    rc = check_headers(request->headers, request->header_count);
  return rc;
}

/* Takes back what was appended since it had this size. */
static void rewind_to(uvow__buf_t *out, size_t size) {
  out->len = out->off + size;
}

static int put_all(uvow__buf_t *out, const char *const *texts, size_t count) {
  int rc = 0;
  for (size_t i = 0; i < count && rc == 0; i++)
    rc = uvow__buf_append_text(out, texts[i]);
  return rc;
}

static int put_header(uvow__buf_t *out, const char *name, const char *value) {
  const char *const texts[] = {name, ": ", value, CRLF};
  return put_all(out, texts, 4);
}

static int put_extensions(uvow__buf_t *out, const char *extensions) {
  if (!extensions || !*extensions)
    return 0;
  return put_header(out, "Sec-WebSocket-Extensions", extensions);
}

static int put_headers(uvow__buf_t *out,
                       const uvow__handshake_header_t *headers, size_t count) {
  int rc = 0;
  for (size_t i = 0; i < count && rc == 0; i++)
    rc = put_header(out, headers[i].name, headers[i].value);
  return rc;
}

static int put_base64(uvow__buf_t *out, const uint8_t *bytes, size_t len) {
  size_t size;
  if (uvow__size_mul(len / 3 + 1, 4, &size) || uvow__size_add(size, 1, &size))
    return UVOW_EOVERLOAD;
  int rc = uvow__buf_reserve(out, size);
  if (rc == 0)
    out->len += uvow__base64_encode(bytes, len, (char *)(out->data + out->len));
  return rc;
}

int uvow__handshake_write_basic(uvow__buf_t *out, const char *name,
                                const char *user, const char *password) {
  const char *const texts[] = {user, ":", password ? password : ""};
  const char *const lead[] = {name, ": Basic "};
  size_t before = uvow__buf_size(out);
  uvow__buf_t plain;
  uvow__buf_init(&plain, out->mem, out->max);
  int rc = put_all(&plain, texts, 3);
  if (rc == 0)
    rc = put_all(out, lead, 2);
  if (rc == 0)
    rc = put_base64(out, plain.data, plain.len);
  if (rc == 0)
    rc = uvow__buf_append_text(out, CRLF);
  if (rc)
    rewind_to(out, before);
  uvow__buf_done(&plain);
  return rc;
}

static int has_header(const uvow__handshake_request_t *request,
                      const char *name) {
  for (size_t i = 0; i < request->header_count; i++)
    if (uvow__slice_is_nocase(uvow__slice_of(request->headers[i].name), name))
      return 1;
  return 0;
}

static int put_origin(uvow__buf_t *out,
                      const uvow__handshake_request_t *request) {
  if (!request->origin || has_header(request, "Origin"))
    return 0;
  return put_header(out, "Origin", request->origin);
}

/* RFC 7617 2, RFC 6750 2.1. */
static int put_auth(uvow__buf_t *out,
                    const uvow__handshake_request_t *request) {
  const char *const bearer[] = {"Authorization: Bearer ", request->bearer,
                                CRLF};
  if (has_header(request, "Authorization"))
    return 0;
  if (request->bearer)
    return put_all(out, bearer, 3);
  if (!request->user)
    return 0;
  return uvow__handshake_write_basic(out, "Authorization", request->user,
                                     request->password);
}

static int put_subprotocols(uvow__buf_t *out, const char *const *subprotocols,
                            size_t count) {
  int rc = 0;
  for (size_t i = 0; i < count && rc == 0; i++) {
    const char *const texts[] = {i ? ", " : "Sec-WebSocket-Protocol: ",
                                 subprotocols[i]};
    rc = put_all(out, texts, 2);
  }
  return rc || count == 0 ? rc : uvow__buf_append_text(out, CRLF);
}

int uvow__handshake_write_request(uvow__buf_t *out,
                                  const uvow__handshake_request_t *request) {
  size_t before = uvow__buf_size(out);
  int rc = check_request(request);
  if (rc)
    return rc;
  const char *const texts[] = {"GET ",
                               request->target,
                               " HTTP/1.1" CRLF "Host: ",
                               request->authority,
                               CRLF "Upgrade: websocket" CRLF
                                    "Connection: Upgrade" CRLF
                                    "Sec-WebSocket-Key: ",
                               request->key,
                               CRLF "Sec-WebSocket-Version: 13" CRLF};
  rc = put_all(out, texts, sizeof(texts) / sizeof(texts[0]));
  if (rc == 0)
    rc = put_subprotocols(out, request->subprotocols,
                          request->subprotocol_count);
  if (rc == 0)
    rc = put_extensions(out, request->extensions);
  if (rc == 0)
    rc = put_auth(out, request);
  if (rc == 0)
    rc = put_origin(out, request);
  if (rc == 0)
    rc = put_headers(out, request->headers, request->header_count);
  if (rc == 0)
    rc = uvow__buf_append_text(out, CRLF);
  if (rc)
    rewind_to(out, before);
  return rc;
}

/* RFC 6455 4.1: the answer's subprotocol is none, or one of those offered. */
static int find_subprotocol(const uvow__http_t *http,
                            const char *const *subprotocols, size_t count,
                            const char **ret_subprotocol) {
  uvow__slice_t chosen;
  size_t found = uvow__http_header(http, "Sec-WebSocket-Protocol", &chosen);
  *ret_subprotocol = NULL;
  if (found == 0)
    return 0;
  for (size_t i = 0; found == 1 && i < count; i++) {
    if (!uvow__slice_is(chosen, subprotocols[i]))
      continue;
    *ret_subprotocol = subprotocols[i];
    return 0;
  }
  return UVOW_EPROTO;
}

static int fail(int code, const char *why, const char **ret_why) {
  *ret_why = why;
  return code;
}

/* The steps 1 to 6 of RFC 6455 4.1, "Once the client's opening handshake...".
 * Upgrade must be this one protocol, Connection only has to hold the token. */
int uvow__handshake_check_response(const uvow__http_t *http, const char *key,
                                   const char *const *subprotocols,
                                   size_t count, uvow__deflate_terms_t *deflate,
                                   const char **ret_subprotocol,
                                   const char **ret_why) {
  uvow__deflate_terms_t agreed = {0};
  char accept[UVOW__HANDSHAKE_ACCEPT + 1];
  const char *subprotocol;
  uvow__slice_t value;
  int rc = uvow__handshake_accept(key, strlen(key), accept);
  if (rc)
    return fail(rc, "the key can't be hashed", ret_why);
  if (uvow__http_status(http) != 101)
    return fail(UVOW_EHANDSHAKE, "the status isn't 101", ret_why);
  if (uvow__http_header(http, "Upgrade", &value) != 1 ||
      !uvow__slice_is_nocase(value, "websocket"))
    return fail(UVOW_EHTTP, "Upgrade isn't websocket", ret_why);
  if (!uvow__http_has_token(http, "Connection", "upgrade"))
    return fail(UVOW_EHTTP, "Connection lacks upgrade", ret_why);
  if (uvow__http_header(http, "Sec-WebSocket-Accept", &value) != 1)
    return fail(UVOW_EACCEPT, "not exactly one Sec-WebSocket-Accept", ret_why);
  if (!uvow__slice_is(value, accept))
    return fail(UVOW_EACCEPT, "Sec-WebSocket-Accept of another key", ret_why);
  rc = find_subprotocol(http, subprotocols, count, &subprotocol);
  if (rc)
    return fail(rc, "a subprotocol that wasn't offered", ret_why);
  if (deflate)
    agreed = *deflate;
  rc = uvow__extension_read_answer(http, &agreed, ret_why);
  if (rc)
    return rc;
  if (deflate)
    *deflate = agreed;
  *ret_subprotocol = subprotocol;
  return 0;
}

static int refuse(uvow__handshake_accepted_t *ret, int status,
                  const char *why) {
  memset(ret, 0, sizeof(*ret));
  ret->status = status;
  ret->why = why;
  return UVOW_EHANDSHAKE;
}

/* RFC 6455 4.2.1, 1: a path, or a whole URL. */
static int is_target(uvow__slice_t target) {
  return is_origin_form(target) || starts_with(target, "http://") ||
         starts_with(target, "https://") || starts_with(target, "ws://") ||
         starts_with(target, "wss://");
}

/* A body would be taken for frames. */
static int has_body(const uvow__http_t *http) {
  uvow__slice_t length;
  size_t found = uvow__http_header(http, "Content-Length", &length);
  return found > 1 || (found == 1 && !uvow__slice_is(length, "0")) ||
         uvow__http_header(http, "Transfer-Encoding", NULL) > 0;
}

static int offers_tokens(const uvow__http_t *http) {
  uvow__http_list_t list = {0, 0};
  uvow__slice_t member;
  while (uvow__http_list_next(http, "Sec-WebSocket-Protocol", &list, &member))
    if (!uvow__http_is_token(member))
      return 0;
  return 1;
}

int uvow__handshake_check_request(const uvow__http_t *http,
                                  uvow__handshake_accepted_t *ret) {
  uvow__slice_t target = uvow__http_target(http);
  uvow__slice_t host, version, key;
  if (!uvow__slice_is(uvow__http_method(http), "GET"))
    return refuse(ret, 405, "the method isn't GET");
  if (!is_target(target))
    return refuse(ret, 400, "the target is no path");
  if (uvow__http_header(http, "Host", &host) != 1 || !is_authority(host))
    return refuse(ret, 400, "not exactly one Host");
  if (has_body(http))
    return refuse(ret, 400, "a handshake has no body");
  if (!uvow__http_has_token(http, "Upgrade", "websocket"))
    return refuse(ret, 426, "Upgrade lacks websocket");
  if (!uvow__http_has_token(http, "Connection", "upgrade"))
    return refuse(ret, 400, "Connection lacks upgrade");
  if (uvow__http_header(http, "Sec-WebSocket-Version", &version) != 1 ||
      !uvow__slice_is(version, "13"))
    return refuse(ret, 426, "Sec-WebSocket-Version isn't 13");
  if (uvow__http_header(http, "Sec-WebSocket-Key", &key) != 1 || !is_key(key))
    return refuse(ret, 400, "Sec-WebSocket-Key isn't base64 of 16 bytes");
  if (!offers_tokens(http))
    return refuse(ret, 400, "Sec-WebSocket-Protocol isn't a list of tokens");
  if (uvow__extension_check(http))
    return refuse(ret, 400, "Sec-WebSocket-Extensions isn't a list of them");
  ret->status = 101;
  ret->why = NULL;
  ret->key = key;
  ret->target = target;
  ret->host = host;
  return 0;
}

const char *uvow__handshake_choose_subprotocol(const uvow__http_t *http,
                                               const char *const *subprotocols,
                                               size_t count) {
  uvow__http_list_t list = {0, 0};
  uvow__slice_t member;
  while (uvow__http_list_next(http, "Sec-WebSocket-Protocol", &list, &member))
    for (size_t i = 0; i < count; i++)
      if (uvow__slice_is(member, subprotocols[i]))
        return subprotocols[i];
  return NULL;
}

int uvow__handshake_write_accept(uvow__buf_t *out, uvow__slice_t key,
                                 const char *subprotocol,
                                 const char *extensions,
                                 const uvow__handshake_header_t *headers,
                                 size_t count) {
  size_t before = uvow__buf_size(out);
  char accept[UVOW__HANDSHAKE_ACCEPT + 1];
  int rc = is_key(key) ? check_headers(headers, count) : UVOW_EINVAL;
  if (rc == 0)
    rc = check_subprotocols(&subprotocol, subprotocol ? 1 : 0);
  if (rc == 0 && !is_optional_value(extensions))
    rc = UVOW_EINVAL;
  if (rc == 0)
    rc = uvow__handshake_accept(key.ptr, key.len, accept);
  if (rc)
    return rc;
  const char *const texts[] = {
      "HTTP/1.1 101 Switching Protocols" CRLF "Upgrade: websocket" CRLF
      "Connection: Upgrade" CRLF "Sec-WebSocket-Accept: ",
      accept, CRLF};
  rc = put_all(out, texts, 3);
  if (rc == 0)
    rc = put_subprotocols(out, &subprotocol, subprotocol ? 1 : 0);
  if (rc == 0)
    rc = put_extensions(out, extensions);
  if (rc == 0)
    rc = put_headers(out, headers, count);
  if (rc == 0)
    rc = uvow__buf_append_text(out, CRLF);
  if (rc)
    rewind_to(out, before);
  return rc;
}

/* RFC 9110 15. A reason may be empty. */
static const char *reason_of(int status) {
  static const struct {
    int status;
    const char *reason;
  } reasons[] = {{400, "Bad Request"},
                 {401, "Unauthorized"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {408, "Request Timeout"},
                 {426, "Upgrade Required"},
                 {429, "Too Many Requests"},
                 {431, "Request Header Fields Too Large"},
                 {500, "Internal Server Error"},
                 {503, "Service Unavailable"}};
  for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
    if (reasons[i].status == status)
      return reasons[i].reason;
  return "";
}

/* What a status must, or should, come with: RFC 9110 15.5.6, 15.5.22, 15.6.4
 * and 7.8, RFC 6455 4.4. */
static const char *headers_of(int status) {
  if (status == 405)
    return "Allow: GET" CRLF "Connection: close" CRLF;
  if (status == 503)
    return "Retry-After: 5" CRLF "Connection: close" CRLF;
  if (status == 426)
    return "Upgrade: websocket" CRLF "Sec-WebSocket-Version: 13" CRLF
           "Connection: Upgrade, close" CRLF;
  return "Connection: close" CRLF;
}

int uvow__handshake_write_refusal(uvow__buf_t *out, int status,
                                  const char *why) {
  size_t before = uvow__buf_size(out);
  if (status < 300 || status > 599 || !why)
    return UVOW_EINVAL;
  int rc = uvow__buf_append_text(out, "HTTP/1.1 ");
  if (rc == 0)
    rc = uvow__buf_append_u64(out, (uint64_t)status);
  const char *const head[] = {" ", reason_of(status), CRLF, headers_of(status),
                              "Content-Type: text/plain; charset=utf-8" CRLF
                              "Content-Length: "};
  if (rc == 0)
    rc = put_all(out, head, sizeof(head) / sizeof(head[0]));
  if (rc == 0)
    rc = uvow__buf_append_u64(out, (uint64_t)strlen(why) + 1);
  const char *const body[] = {CRLF CRLF, why, "\n"};
  if (rc == 0)
    rc = put_all(out, body, 3);
  if (rc)
    rewind_to(out, before);
  return rc;
}
