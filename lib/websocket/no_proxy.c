/*
 * NO_PROXY: curl's rules, and ports, which others have.
 *
 * An address matches addresses only, a name names: nothing is resolved.
 */
#include "no_proxy.h"

#include <string.h>

#include "base/text.h"
#include "net/system.h"

#define MEMBER_MAX 255 /* bytes: no name is longer */

/* What is asked for. */
typedef struct asked {
  uvow__slice_t name;
  uint16_t port;
  size_t ip_len; /* 0: it's a name */
  uint8_t ip[16];
} asked_t;

static uvow__slice_t behind(uvow__slice_t text, size_t count) {
  uvow__slice_t rest = {text.ptr + count, text.len - count};
  return rest;
}

static int starts_with(uvow__slice_t text, const char *prefix) {
  size_t len = strlen(prefix);
  return text.len >= len && memcmp(text.ptr, prefix, len) == 0;
}

static uvow__slice_t without_last_dot(uvow__slice_t name) {
  if (name.len && name.ptr[name.len - 1] == '.')
    name.len--;
  return name;
}

static int same_letters(uvow__slice_t a, uvow__slice_t b) {
  char text[MEMBER_MAX + 1];
  if (a.len != b.len || b.len > MEMBER_MAX)
    return 0;
  memcpy(text, b.ptr, b.len);
  text[b.len] = '\0';
  return uvow__slice_is_nocase(a, text);
}

static int name_matches(uvow__slice_t member, const asked_t *asked) {
  uvow__slice_t name = asked->name;
  if (starts_with(member, "*."))
    member = behind(member, 1);
  if (starts_with(member, "."))
    member = behind(member, 1);
  member = without_last_dot(member);
  if (member.len == 0 || name.len < member.len)
    return 0;
  size_t lead = name.len - member.len;
  return same_letters(behind(name, lead), member) &&
         (lead == 0 || name.ptr[lead - 1] == '.');
}

static int same_bits(const uint8_t *a, const uint8_t *b, uint64_t bits) {
  size_t bytes = (size_t)(bits / 8);
  unsigned rest = (unsigned)(bits % 8);
  if (memcmp(a, b, bytes) != 0)
    return 0;
  return rest == 0 || (a[bytes] ^ b[bytes]) >> (8 - rest) == 0;
}

static int ip_matches(uvow__slice_t member, const asked_t *asked) {
  char text[64];
  uint8_t ip[16];
  uint64_t bits = asked->ip_len * 8;
  const char *slash = (const char *)memchr(member.ptr, '/', member.len);
  size_t len = slash ? (size_t)(slash - member.ptr) : member.len;
  if (slash && uvow__slice_u64(behind(member, len + 1), bits, &bits))
    return 0;
  if (len >= sizeof(text))
    return 0;
  memcpy(text, member.ptr, len);
  text[len] = '\0';
  return uvow__system_ip(text, ip) == asked->ip_len &&
         same_bits(ip, asked->ip, bits);
}

static int is_port(uvow__slice_t text, uint16_t port) {
  uint64_t number;
  return uvow__slice_u64(text, 65535, &number) == 0 && number == port;
}

/* Takes brackets and port off. Returns 0: it's malformed, or another port. */
static int take_port(uvow__slice_t *member, uint16_t port) {
  uvow__slice_t text = *member;
  const char *end =
      (const char *)memchr(text.ptr, text.ptr[0] == '[' ? ']' : ':', text.len);
  if (text.ptr[0] == '[') {
    if (!end)
      return 0;
    *member = (uvow__slice_t){text.ptr + 1, (size_t)(end - text.ptr) - 1};
    uvow__slice_t rest = behind(text, member->len + 2);
    return rest.len == 0 ||
           (rest.ptr[0] == ':' && is_port(behind(rest, 1), port));
  }
  if (!end)
    return 1;
  size_t len = (size_t)(end - text.ptr);
  uvow__slice_t rest = behind(text, len + 1);
  if (memchr(rest.ptr, ':', rest.len))
    return 1; /* IPv6, as it is */
  member->len = len;
  return is_port(rest, port);
}

static int matches(uvow__slice_t member, const asked_t *asked) {
  if (!take_port(&member, asked->port) || member.len == 0)
    return 0;
  if (uvow__slice_is(member, "*"))
    return 1;
  return asked->ip_len ? ip_matches(member, asked)
                       : name_matches(member, asked);
}

int uvow__no_proxy(const char *list, const char *host, uint16_t port) {
  static const char dividers[] = ", \t";
  asked_t asked;
  asked.ip_len = uvow__system_ip(host, asked.ip);
  asked.name = without_last_dot(uvow__slice_of(host));
  asked.port = port;
  for (;;) {
    list += strspn(list, dividers);
    uvow__slice_t member = {list, strcspn(list, dividers)};
    if (member.len == 0)
      return 0;
    if (matches(member, &asked))
      return 1;
    list += member.len;
  }
}
