/* Any bytes as a response to the handshake of RFC 6455 1.2: how they are split
 * changes nothing, and only the right answer is taken. The first byte is the
 * size of the pieces. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int fact) {
  if (!fact)
    abort();
}

static int feed_all(uvow__http_t *http, const uint8_t *data, size_t size,
                    size_t step, size_t *ret_total) {
  size_t total = 0;
  int rc = UVOW__HTTP_MORE;
  while (rc == UVOW__HTTP_MORE && total < size) {
    size_t left = size - total;
    size_t used = 0;
    rc = uvow__http_feed(http, data + total, left < step ? left : step, &used);
    total += used;
  }
  *ret_total = total;
  return rc;
}

static int check(const uvow__http_t *http) {
  static const char *const offered[] = {"chat", "superchat"};
  const char *chosen = NULL;
  const char *why = NULL;
  uvow__deflate_terms_t terms = {1, 0, 1, 12, 14, 0};
  int rc = uvow__handshake_check_response(
      http, "dGhlIHNhbXBsZSBub25jZQ==", offered, 2, &terms, &chosen, &why);
  must(rc ? why && !chosen : !why);
  must(!terms.on ||
       (terms.client_no_context_takeover && terms.server_max_window_bits >= 8 &&
        terms.server_max_window_bits <= 12 &&
        terms.client_max_window_bits >= 8 &&
        terms.client_max_window_bits <= 14));
  must(!chosen || chosen == offered[0] || chosen == offered[1]);
  return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uvow__http_t whole, split;
  size_t used_whole, used_split;
  if (size == 0)
    return 0;
  uvow__http_init(&whole, &uvow__mem_default, UVOW__HTTP_RESPONSE, 2048);
  uvow__http_init(&split, &uvow__mem_default, UVOW__HTTP_RESPONSE, 2048);
  int rc = feed_all(&whole, data + 1, size - 1, size, &used_whole);
  must(rc == feed_all(&split, data + 1, size - 1, (size_t)data[0] % 16 + 1,
                      &used_split));
  if (rc == 0) {
    uvow__slice_t accept = {"", 0};
    must(used_whole == used_split);
    must(uvow__http_status(&whole) >= 100 && uvow__http_status(&whole) <= 999);
    must(uvow__http_status(&whole) == uvow__http_status(&split));
    rc = check(&whole);
    must(rc == check(&split));
    uvow__http_header(&whole, "Sec-WebSocket-Accept", &accept);
    must(rc || uvow__slice_is(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
  }
  uvow__http_done(&whole);
  uvow__http_done(&split);
  return 0;
}
