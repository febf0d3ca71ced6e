/*
 * What a peer's close frame says, as an error.
 *
 * 1. The reason is the peer's own, or, where it gave none, what the code means
 *    (RFC 6455 7.4.1 and IANA's registry).
 * 2. It ends in logs and on terminals: no control character of it gets there,
 *    and no more than a close frame has room for.
 */
#include "goodbye.h"

#include <stdio.h>

#include "wire/framer.h"

#define REASON_MAX 123 /* bytes: RFC 6455 5.5 less the code */

static const char *meaning(int code) {
  static const char *const from_1000[] = {"normal closure",
                                          "going away",
                                          "protocol error",
                                          "unsupported data",
                                          "",
                                          "",
                                          "",
                                          "invalid data",
                                          "policy violation",
                                          "message too big",
                                          "mandatory extension",
                                          "internal error",
                                          "service restart",
                                          "try again later",
                                          "bad gateway"};
  if (code < 1000 || code > 1014)
    return "";
  return from_1000[code - 1000];
}

/* Copies at most REASON_MAX bytes, whole characters, with a NUL behind. */
static void copy_harmless(char to[REASON_MAX + 1], const char *from,
                          size_t len) {
  const unsigned char *bytes = (const unsigned char *)from;
  size_t at = 0;
  if (len > REASON_MAX)
    for (len = REASON_MAX; len && (bytes[len] & 0xc0) == 0x80;)
      len--;
  for (size_t i = 0; i < len; i++) {
    int is_c1 = bytes[i] == 0xc2 && i + 1 < len && bytes[i + 1] < 0xa0;
    i += is_c1 ? 1 : 0;
    to[at++] = bytes[i] < 0x20 || bytes[i] == 0x7f || is_c1 ? '?' : from[i];
  }
  to[at] = '\0';
}

uvow_error_t *uvow__goodbye(const uvow__mem_t *mem, int code,
                            const char *reason, size_t len) {
  char said[REASON_MAX + 1];
  char detail[REASON_MAX + 48];
  uvow__error_spec_t spec = {0};
  int written;
  copy_harmless(said, reason, len);
  const char *why = said[0] ? said : meaning(code);
  if (code == UVOW__CLOSE_NONE)
    written = snprintf(detail, sizeof(detail),
                       "closed by the peer, which gave "
                       "no reason");
  else
    written = snprintf(detail, sizeof(detail), "closed by the peer: %d%s%s",
                       code, *why ? " " : "", why);
  spec.code = UVOW_ECLOSED;
  spec.status = code;
  spec.detail = (uvow__slice_t){detail, (size_t)written};
  return uvow__error_make(mem, &spec);
}
