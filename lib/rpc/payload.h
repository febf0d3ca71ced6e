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

/* What a payload's strings mean: each where it stands in the bytes, with a NUL
 * in place of its last quote. A meaning is never longer than its string. */
typedef struct uvow__payload_texts {
  struct json_t *json;
  char texts[]; /* as many as the payload has bytes */
} uvow__payload_texts_t;

/* Bits of what has been seen of a payload. */
enum {
  UVOW__PAYLOAD_IS_JSON = 1,  /* checked */
  UVOW__PAYLOAD_NO_JSON = 2,  /* the same */
  UVOW__PAYLOAD_HAS_TEXTS = 4 /* u.texts */
};

/* JSON text. Small, it's kept within: in the block of its future, mostly. */
struct uvow_payload {
  const char *bytes; /* NULL: none */
  union {
    struct json_t *json; /* NULL: nobody asked */
    uvow__payload_texts_t *texts;
  } u;
  uvow__cache_t *cache; /* where what is outside came from */
  size_t len;
  uint8_t where : 4; /* bytes: inside, outside (owned), heap: as itself, or
                        taken: in a block, whose address is in `small` */
  uint8_t seen : 4;
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
/* One on the heap, of `len` undefined bytes, or NULL. */
uvow_payload_t *uvow__payload_new(uvow__cache_t *cache, size_t len);
/* Whether its text is JSON: 0, or UVOW_EPAYLOAD. Looks once. */
int uvow__payload_check(uvow_payload_t *payload);
/* What a string in a checked payload means; raw is where it stands. Writes
 * borrowed text (as long as the payload), which ends with a NUL. Errors:
 * UVOW_ETYPE: no string, or there's a NUL in it; UVOW_ENOMEM. */
int uvow__payload_text(uvow_payload_t *payload, uvow__slice_t raw,
                       uvow__slice_t *ret_text);
/* Frees what it holds (and itself, if it's on the heap). */
void uvow__payload_done(uvow_payload_t *payload);

/* Appends a value as JSON text. Errors: UVOW_ETYPE: it has none; UVOW_EINVAL: a
 * number that isn't finite, text that isn't UTF-8; UVOW_ENOMEM, UVOW_EOVERLOAD.
 */
int uvow__value_to_json(const uvow_value_t *value, uvow__buf_t *out);

#endif
