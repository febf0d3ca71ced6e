/* What the peer has said, as texts and errors. */
#include "session.h"

#include <string.h>

#include "wire/json_text.h"

int uvow__session_text(uvow__slice_t raw, uvow__buf_t *buf,
                       uvow__slice_t *ret_text) {
  *ret_text = raw;
  if (raw.len == 0 || raw.ptr[0] != '"' || uvow__json_plain(raw, ret_text))
    return 0;
  int rc = uvow__json_unescape(buf, raw);
  if (rc)
    return rc;
  ret_text->ptr = (const char *)uvow__buf_front(buf);
  ret_text->len = uvow__buf_size(buf);
  return 0;
}

uvow_error_t *uvow__session_remote(const uvow__mem_t *mem,
                                   const uvow__msg_t *msg,
                                   uvow_outcome_t outcome) {
  uvow__error_spec_t spec = {0};
  uvow__buf_t message;
  uvow__buf_t code;
  uvow__buf_init(&message, mem, SIZE_MAX);
  uvow__buf_init(&code, mem, SIZE_MAX);
  spec.code = UVOW_EREMOTE;
  spec.outcome = outcome;
  spec.peer_code = msg->has_error_code ? msg->error_code : 0;
  spec.data = msg->error_data;
  int rc = uvow__session_text(msg->error_message, &message, &spec.peer_message);
  if (rc == 0 && !msg->has_error_code)
    rc = uvow__session_text(msg->error_code_text, &code, &spec.peer_code_text);
  spec.detail = spec.peer_message;
  uvow_error_t *error =
      rc ? uvow__error_code(mem, rc, outcome) : uvow__error_make(mem, &spec);
  uvow__buf_done(&message);
  uvow__buf_done(&code);
  return error;
}

uvow_error_t *uvow__session_malformed(const uvow__mem_t *mem,
                                      const uvow__msg_t *msg,
                                      uvow__slice_t bytes) {
  const char *why = uvow__fault_text((uvow__fault_t)msg->fault);
  uvow__error_spec_t spec = {0};
  spec.code = UVOW_EENVELOPE;
  spec.detail = (uvow__slice_t){why, strlen(why)};
  spec.outcome = UVOW_ANSWERED;
  spec.data = bytes;
  return uvow__error_make(mem, &spec);
}
