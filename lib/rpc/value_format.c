/* Values of JSON text by a format. */
#include <uvow/json.h>

#include <string.h>

#include "net/loop.h"
#include "payload.h"
#include "wire/json_format.h"

/* There's no loop: takes what there is to take. */
static int drop(const char *format, va_list args) {
  uvow__buf_t none;
  uvow__buf_init(&none, &uvow__mem_default, 0);
  (void)uvow__json_format(&none, format, args);
  uvow__buf_done(&none);
  return UVOW_EINVAL;
}

/* A payload of what the format says, or why there's none. */
static int make(uvow_loop_t *loop, const char *format, va_list args,
                uvow__payload_t **ret_payload) {
  if (!loop)
    return drop(format, args);
  uvow__buf_t *text = &loop->params;
  text->max = SIZE_MAX;
  int rc = uvow__json_format(text, format, args);
  if (rc == 0) {
    size_t len = uvow__buf_size(text);
    *ret_payload = uvow__payload_new(&loop->rt.texts, len);
    rc = *ret_payload ? 0 : UVOW_ENOMEM;
    if (rc == 0)
      memcpy((*ret_payload)->small, uvow__buf_front(text), len);
  }
  uvow__buf_clear(text, UVOW__READ_SIZE);
  return rc;
}

uvow_value_t uvow_value_jsonf(uvow_loop_t *loop, const char *format, ...) {
  uvow__payload_t *payload;
  va_list args;
  va_start(args, format);
  int rc = make(loop, format, args, &payload);
  va_end(args);
  if (rc == 0)
    return uvow_value_ptr(&uvow__type_payload, payload);
  return uvow__value_failed(rc);
}

uvow_next_t uvow_next_jsonf(uvow_loop_t *loop, const char *format, ...) {
  uvow__payload_t *payload;
  va_list args;
  va_start(args, format);
  int rc = make(loop, format, args, &payload);
  va_end(args);
  return rc ? uvow_next_code(rc, NULL)
            : uvow_next_value(uvow_value_ptr(&uvow__type_payload, payload));
}
