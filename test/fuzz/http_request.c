/* Any bytes as a request: how they are split changes nothing, and a handshake
 * that is found can be answered. The first byte is the size of the pieces. */
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

static void same(const uvow__http_t *a, const uvow__http_t *b) {
  must(uvow__http_count(a) == uvow__http_count(b));
  must(uvow__buf_size(&a->head) == uvow__buf_size(&b->head));
  for (size_t i = 0; i < uvow__http_count(a); i++)
    must(!memcmp(&a->fields[i], &b->fields[i], sizeof(a->fields[i])));
  for (size_t i = 0; i < uvow__http_count(a); i++) {
    uvow__slice_t name, value;
    uvow__http_field(a, i, &name, &value);
    must(uvow__http_is_token(name) && uvow__http_is_value(value));
  }
}

static void answer(const uvow__http_t *http) {
  static const char *const known[] = {"chat", "superchat"};
  uvow__handshake_accepted_t found;
  uvow__buf_t out;
  uvow__buf_init(&out, http->head.mem, 65536);
  if (uvow__handshake_check_request(http, &found)) {
    must(!uvow__handshake_write_refusal(&out, found.status, found.why));
  } else {
    const char *chosen = uvow__handshake_choose_subprotocol(http, known, 2);
    uvow__deflate_terms_t terms = {1, 0, 1, 12, 14, 0};
    char extensions[UVOW__EXTENSION_TEXT];
    uvow__extension_choose(http, &terms);
    uvow__extension_answer(&terms, extensions);
    must(!terms.on || (terms.server_max_window_bits >= 9 &&
                       terms.server_max_window_bits <= 12));
    must(!uvow__handshake_write_accept(&out, found.key, chosen, extensions,
                                       NULL, 0));
  }
  uvow__buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uvow__http_t whole, split;
  size_t used_whole, used_split;
  if (size == 0)
    return 0;
  uvow__http_init(&whole, &uvow__mem_default, UVOW__HTTP_REQUEST, 2048);
  uvow__http_init(&split, &uvow__mem_default, UVOW__HTTP_REQUEST, 2048);
  int rc = feed_all(&whole, data + 1, size - 1, size, &used_whole);
  must(rc == feed_all(&split, data + 1, size - 1, (size_t)data[0] % 16 + 1,
                      &used_split));
  if (rc == 0) {
    must(used_whole == used_split);
    must(uvow__http_method(&whole).len && uvow__http_target(&whole).len);
    same(&whole, &split);
    answer(&whole);
  }
  uvow__http_done(&whole);
  uvow__http_done(&split);
  return 0;
}
