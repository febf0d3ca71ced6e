#ifndef UVOW__PAYLOAD_H
#define UVOW__PAYLOAD_H

#include <uvow/payload.h>

#include "future/future.h"

enum {
  UVOW__PAYLOAD_INSIDE,
  UVOW__PAYLOAD_OUTSIDE,
  UVOW__PAYLOAD_HEAP,
  UVOW__PAYLOAD_TAKEN
};

#define UVOW__PAYLOAD_LARGE ((size_t)32 * 1024) /* bytes that are taken */

#define UVOW__PAYLOAD_SMALL (UVOW__BLOCK_TAIL - 33)

/* JSON text. Small, it's kept within: in the block of its future, mostly. */
struct uvow_payload {
  const char *bytes; /* NULL: none */
  struct json_t *json;
  uvow__cache_t *cache; /* where what is outside came from */
  size_t len;
  uint8_t where; /* bytes: inside, outside (owned), heap: as itself, or taken:
                    in a block, whose address is in `small` */
  char small[UVOW__PAYLOAD_SMALL];
};

/* Copies the text. On UVOW_ENOMEM it's empty. */
int uvow__payload_init(uvow_payload_t *payload, uvow__cache_t *cache,
                       uvow__slice_t text);
/* The same for a text in `whole`, which is the loop's memory: if it's large,
 * and most of it, the payload takes that memory instead, and whole is left
 * empty. */
int uvow__payload_take(uvow_payload_t *payload, uvow__cache_t *cache,
                       uvow__slice_t text, uvow__buf_t *whole);
/* Frees what it holds (and itself, if it's on the heap). */
void uvow__payload_done(uvow_payload_t *payload);

/* Appends a value as JSON text. Errors: UVOW_ETYPE: it has none; UVOW_EINVAL: a
 * number that isn't finite, text that isn't UTF-8; UVOW_ENOMEM, UVOW_EOVERLOAD.
 */
int uvow__value_to_json(const uvow_value_t *value, uvow__buf_t *out);

#endif
