/*
 * ws:// and wss:// URLs: RFC 6455 section 3 over the grammar of RFC 3986; and
 * those of Unix domain sockets.
 *
 *   scheme "://" [ user [ ":" password ] "@" ] host [ ":" port ]
 *       [ path ] [ "?" query ]
 *   "ws+unix:" [ "//" ] socket [ ":" [ path ] ] [ "?" query ]
 *
 * 1. Nothing but visible ASCII gets in, and escapes are decoded only where the
 *    result is checked again (user, password, host, socket): nothing that comes
 *    out can break a line of HTTP, or end a C string early.
 * 2. Host, user and password follow RFC 3986 to the letter, less what Host and
 *    Basic can't say: so whatever is taken here, the handshake can ask for. Path
 *    and query may also hold []{}|^` as they are: URLs of real services do.
 * 3. What is sent is what was written: dots and escapes of the path stay.
 *
 * Not here: IDNA, zone identifiers of IPv6, relative references.
 */
#include "url.h"

#include <string.h>

#include <uvow/error.h>

#include "base/text.h"

/* The pieces of a URL, still as they were written. */
typedef struct parts {
  int secure;
  int is_socket;
  int has_userinfo;
  int bracketed;
  uvow__slice_t userinfo;
  uvow__slice_t host;
  uvow__slice_t port;
  uvow__slice_t socket;
  uvow__slice_t target;
} parts_t;

/* c is never NUL where these look for it: see check_bytes and unescape. */
static int is_unreserved(int c) {
  return uvow__is_alpha(c) || uvow__is_digit(c) || (c && strchr("-._~", c));
}

static int is_sub_delim(int c) {
  return c && strchr("!$&'()*+,;=", c);
}

/* Takes the first `count` bytes off. */
static uvow__slice_t take(uvow__slice_t *from, size_t count) {
  uvow__slice_t front = {from->ptr, count};
  from->ptr += count;
  from->len -= count;
  return front;
}

/* How many bytes stand before the first of these; all, if there's none. */
static size_t before_any(uvow__slice_t text, const char *of) {
  size_t at = 0;
  while (at < text.len && !strchr(of, text.ptr[at]))
    at++;
  return at;
}

/* The byte at *at, its escape undone, and moves on. -1: a bad escape. */
static int unescape(uvow__slice_t text, size_t *at) {
  int c = (unsigned char)text.ptr[*at];
  if (c != '%') {
    *at += 1;
    return c;
  }
  if (text.len - *at < 3)
    return -1;
  int high = uvow__hex_value(text.ptr[*at + 1]);
  int low = uvow__hex_value(text.ptr[*at + 2]);
  *at += 3;
  return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static int check_bytes(uvow__slice_t text) {
  if (text.len == 0 || text.len > UVOW__URL_MAX)
    return UVOW_EURL;
  for (size_t i = 0; i < text.len; i++)
    if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
      return UVOW_EURL;
  return 0;
}

/* RFC 3986 3.1, and the "//" behind it, which a socket's may lack. */
static int take_scheme(uvow__slice_t *text, parts_t *parts) {
  uvow__slice_t scheme = take(text, before_any(*text, ":"));
  if (text->len == 0 || scheme.len == 0 || !uvow__is_alpha(scheme.ptr[0]))
    return UVOW_EURL;
  for (size_t i = 1; i < scheme.len; i++) {
    int c = scheme.ptr[i];
    if (!uvow__is_alpha(c) && !uvow__is_digit(c) && !strchr("+-.", c))
      return UVOW_EURL;
  }
  parts->secure = uvow__slice_is_nocase(scheme, "wss");
  parts->is_socket = uvow__slice_is_nocase(scheme, "ws+unix");
  if (parts->is_socket) {
    take(text, 1);
    return 0;
  }
  if (!parts->secure && !uvow__slice_is_nocase(scheme, "ws"))
    return UVOW_ESCHEME;
  if (text->len < 3 || memcmp(text->ptr, "://", 3) != 0)
    return UVOW_EURL;
  take(text, 3);
  return 0;
}

/* RFC 3986 3.2: what stands between "//" and the path. */
static int split_authority(uvow__slice_t text, parts_t *parts) {
  size_t at = before_any(text, "@");
  if (at < text.len) {
    parts->has_userinfo = 1;
    parts->userinfo = take(&text, at);
    take(&text, 1);
  }
  if (text.len > 0 && text.ptr[0] == '[') {
    parts->bracketed = 1;
    take(&text, 1);
    parts->host = take(&text, before_any(text, "]"));
    if (text.len == 0)
      return UVOW_EURL;
    take(&text, 1);
  } else {
    parts->host = take(&text, before_any(text, ":"));
  }
  if (text.len > 0 && text.ptr[0] != ':')
    return UVOW_EURL;
  if (text.len > 0)
    take(&text, 1);
  parts->port = text;
  return 0;
}

/* Behind "ws+unix:": an absolute path, and what to ask for there. */
static int split_socket(uvow__slice_t text, parts_t *parts) {
  parts->host = UVOW__SLICE("localhost");
  if (text.len >= 2 && memcmp(text.ptr, "//", 2) == 0)
    take(&text, 2);
  parts->socket = take(&text, before_any(text, ":?"));
  if (parts->socket.len == 0 || parts->socket.ptr[0] != '/')
    return UVOW_EURL;
  if (text.len > 0 && text.ptr[0] == ':')
    take(&text, 1);
  if (text.len > 0 && text.ptr[0] != '/' && text.ptr[0] != '?')
    return UVOW_EURL;
  parts->target = text;
  return 0;
}

/* Digits without needless zeros, at most 255. */
static int is_octet(uvow__slice_t text) {
  uint64_t octet;
  return uvow__slice_u64(text, 255, &octet) == 0;
}

static int is_ipv4(uvow__slice_t text) {
  for (int i = 0; i < 3; i++) {
    if (!is_octet(take(&text, before_any(text, "."))) || text.len == 0)
      return 0;
    take(&text, 1);
  }
  return is_octet(text);
}

/* RFC 3986 3.2.2: IPv6address. */
static int is_ipv6(uvow__slice_t text) {
  int groups = 0;
  int gap = 0;
  while (text.len > 0) {
    if (text.len >= 2 && text.ptr[0] == ':' && text.ptr[1] == ':') {
      take(&text, 2);
      if (gap++ || (text.len > 0 && text.ptr[0] == ':'))
        return 0;
      continue;
    }
    if (text.ptr[0] == ':') { /* between two groups */
      take(&text, 1);
      if (groups == 0 || text.len == 0)
        return 0;
    }
    uvow__slice_t group = {text.ptr, before_any(text, ":")};
    if (group.len == text.len && is_ipv4(group)) { /* the last 32 bits */
      groups += 2;
      break;
    }
    for (size_t i = 0; i < group.len; i++)
      if (uvow__hex_value(group.ptr[i]) < 0)
        return 0;
    if (group.len == 0 || group.len > 4 || groups == 8)
      return 0;
    groups++;
    take(&text, group.len);
  }
  return gap ? groups <= 7 : groups == 8;
}

/* RFC 3986 3.2.1, one side of the colon. No control bytes: RFC 7617 2. */
static int decode_userinfo(const uvow__mem_t *mem, uvow__slice_t text,
                           char **ret) {
  size_t len = 0;
  char *out = (char *)uvow__malloc(mem, text.len + 1);
  if (!out)
    return UVOW_ENOMEM;
  for (size_t at = 0; at < text.len;) {
    int raw = text.ptr[at];
    int c = unescape(text, &at);
    int allowed = is_unreserved(raw) || is_sub_delim(raw) || raw == ':';
    if ((raw != '%' && !allowed) || c < ' ' || c == 0x7f) {
      uvow__free(mem, out);
      return UVOW_EURL;
    }
    out[len++] = (char)c;
  }
  out[len] = '\0';
  *ret = out;
  return 0;
}

/* "user:password", "user", ":password"; nothing at all is no user. */
static int parse_userinfo(const parts_t *parts, uvow__url_t *url) {
  uvow__slice_t rest = parts->userinfo;
  if (!parts->has_userinfo || rest.len == 0)
    return 0;
  int rc =
      decode_userinfo(url->mem, take(&rest, before_any(rest, ":")), &url->user);
  if (rc == 0 && strchr(url->user, ':')) /* an escaped one: RFC 7617 2 */
    rc = UVOW_EURL;
  if (rc || rest.len == 0)
    return rc;
  take(&rest, 1);
  return decode_userinfo(url->mem, rest, &url->password);
}

/* RFC 3986 3.2.2: reg-name, without a comma, at which a list of Hosts would be
 * split. An escape may stand for a plain character only. */
static int copy_name(uvow__slice_t text, char *out) {
  size_t len = 0;
  for (size_t at = 0; at < text.len;) {
    int raw = text.ptr[at];
    int c = unescape(text, &at);
    int allowed = is_unreserved(c) || (raw != '%' && is_sub_delim(c));
    if (c < 0 || c == ',' || !allowed)
      return UVOW_EURL;
    out[len++] = (char)uvow__lower(c);
  }
  out[len] = '\0';
  return 0;
}

#define NAME_MAX_BYTES 253 /* of a host: RFC 1035 3.1, as text */
#define LABEL_MAX_BYTES 63

/* Labels of a length that a name server could know. A dot at the end is the
 * root's, and doesn't count. */
static int is_name(const char *name) {
  uvow__slice_t rest = uvow__slice_of(name);
  if (rest.len && name[rest.len - 1] == '.')
    rest.len--;
  if (rest.len > NAME_MAX_BYTES)
    return 0;
  for (;;) {
    size_t len = take(&rest, before_any(rest, ".")).len;
    if (len == 0 || len > LABEL_MAX_BYTES)
      return 0;
    if (rest.len == 0)
      return 1;
    take(&rest, 1);
  }
}

static int parse_host(const parts_t *parts, uvow__url_t *url) {
  uvow__slice_t text = parts->host;
  if (text.len == 0)
    return UVOW_EURL;
  if (parts->bracketed && !is_ipv6(text))
    return UVOW_EURL;
  url->host = (char *)uvow__malloc(url->mem, text.len + 1);
  if (!url->host)
    return UVOW_ENOMEM;
  if (!parts->bracketed) {
    int rc = copy_name(text, url->host);
    return rc == 0 && !is_name(url->host) ? UVOW_EURL : rc;
  }
  for (size_t i = 0; i < text.len; i++)
    url->host[i] = (char)uvow__lower(text.ptr[i]);
  url->host[text.len] = '\0';
  return 0;
}

/* A path of a file. No control bytes: it stands in messages. */
static int parse_socket(const parts_t *parts, uvow__url_t *url) {
  uvow__slice_t text = parts->socket;
  size_t len = 0;
  if (!parts->is_socket)
    return 0;
  url->path = (char *)uvow__malloc(url->mem, text.len + 1);
  if (!url->path)
    return UVOW_ENOMEM;
  for (size_t at = 0; at < text.len;) {
    int raw = text.ptr[at];
    int c = unescape(text, &at);
    if (c < ' ' || c == 0x7f || strchr("\"<>\\", raw))
      return UVOW_EURL;
    url->path[len++] = (char)c;
  }
  url->path[len] = '\0';
  return 0;
}

/* RFC 3986 3.2.3: digits, even none. */
static int parse_port(const parts_t *parts, uvow__url_t *url) {
  uint32_t port = 0;
  url->port = parts->secure ? 443 : 80;
  if (parts->port.len == 0)
    return 0;
  for (size_t i = 0; i < parts->port.len; i++) {
    int c = parts->port.ptr[i];
    if (!uvow__is_digit(c))
      return UVOW_EURL;
    port = port * 10 + (uint32_t)(c - '0');
    if (port > 65535)
      return UVOW_EURL;
  }
  if (port == 0)
    return UVOW_EURL;
  url->port = (uint16_t)port;
  return 0;
}

/* RFC 9110 7.2: Host has the port unless it is the scheme's own. */
static int build_authority(const parts_t *parts, uvow__url_t *url) {
  uvow__buf_t out;
  uvow__buf_init(&out, url->mem, UVOW__URL_MAX + 16);
  int rc = parts->bracketed ? uvow__buf_append_text(&out, "[") : 0;
  if (rc == 0)
    rc = uvow__buf_append_text(&out, url->host);
  if (rc == 0 && parts->bracketed)
    rc = uvow__buf_append_text(&out, "]");
  if (rc == 0 && url->port != (parts->secure ? 443 : 80)) {
    rc = uvow__buf_append_text(&out, ":");
    if (rc == 0)
      rc = uvow__buf_append_u64(&out, url->port);
  }
  if (rc == 0) /* in no more memory than it needs, as it is kept for long */
    url->authority = uvow__strndup(
        url->mem, (const char *)uvow__buf_front(&out), uvow__buf_size(&out));
  uvow__buf_done(&out);
  return rc == 0 && !url->authority ? UVOW_ENOMEM : rc;
}

/* RFC 3986 3.3 and 3.4; RFC 6455 3: an empty path is "/". */
static int build_target(const parts_t *parts, uvow__url_t *url) {
  uvow__slice_t text = parts->target;
  size_t lead = text.len == 0 || text.ptr[0] != '/';
  for (size_t at = 0; at < text.len;)
    if (strchr("\"<>\\", text.ptr[at]) || unescape(text, &at) < 0)
      return UVOW_EURL;
  url->target = (char *)uvow__malloc(url->mem, text.len + lead + 1);
  if (!url->target)
    return UVOW_ENOMEM;
  url->target[0] = '/';
  if (text.len)
    memcpy(url->target + lead, text.ptr, text.len);
  url->target[text.len + lead] = '\0';
  return 0;
}

int uvow__url_parse(const uvow__mem_t *mem, const char *text, size_t len,
                    uvow__url_t *ret) {
  uvow__slice_t rest = {text, len};
  parts_t parts;
  uvow__url_t url;
  memset(&parts, 0, sizeof(parts));
  memset(&url, 0, sizeof(url));
  url.mem = mem;
  int rc = check_bytes(rest);
  if (rc == 0)
    rc = take_scheme(&rest, &parts);
  if (rc)
    return rc;
  /* RFC 6455 3: "Fragment identifiers ... MUST NOT be used". */
  if (before_any(rest, "#") < rest.len)
    return UVOW_EURL;
  url.secure = parts.secure;
  if (parts.is_socket) {
    rc = split_socket(rest, &parts);
  } else {
    rc = split_authority(take(&rest, before_any(rest, "/?")), &parts);
    parts.target = rest;
  }
  if (rc == 0)
    rc = parse_userinfo(&parts, &url);
  if (rc == 0)
    rc = parse_socket(&parts, &url);
  if (rc == 0)
    rc = parse_host(&parts, &url);
  if (rc == 0)
    rc = parse_port(&parts, &url);
  if (rc == 0)
    rc = build_authority(&parts, &url);
  if (rc == 0)
    rc = build_target(&parts, &url);
  if (rc)
    uvow__url_done(&url);
  else
    *ret = url;
  return rc;
}

void uvow__url_done(uvow__url_t *url) {
  char *texts[] = {url->host, url->authority, url->target,
                   url->user, url->password,  url->path};
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
    if (texts[i])
      uvow__free(url->mem, texts[i]);
  memset(url, 0, sizeof(*url));
}
