/* W3C Trace Context: https://www.w3.org/TR/trace-context/#traceparent-header */
#include "traceparent.h"

#include "base/text.h"

/* Hex digits, not all of them 0 if it's an id. */
static int is_hex(const char *at, size_t len, int is_id) {
  int any = !is_id;
  for (size_t i = 0; i < len; i++) {
    if (uvow__hex_value(at[i]) < 0 || uvow__lower(at[i]) != at[i])
      return 0;
    any |= at[i] != '0';
  }
  return any;
}

int uvow__traceparent_valid(uvow__slice_t text) {
  const char *at = text.ptr;
  return text.len == UVOW__TRACEPARENT_LEN && at[0] == '0' && at[1] == '0' &&
         at[2] == '-' && is_hex(at + 3, 32, 1) && at[35] == '-' &&
         is_hex(at + 36, 16, 1) && at[52] == '-' && is_hex(at + 53, 2, 0);
}
