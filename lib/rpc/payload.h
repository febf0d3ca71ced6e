#ifndef UVOW__PAYLOAD_H
#define UVOW__PAYLOAD_H

#include <uvow/json.h>

#include "future/bytes.h"

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
  UVOW__PAYLOAD_IS_JSON = 1,   /* checked */
  UVOW__PAYLOAD_NO_JSON = 2,   /* the same */
  UVOW__PAYLOAD_HAS_TEXTS = 4, /* u.texts */
  UVOW__PAYLOAD_IS_NAMED = 8   /* a name, with its NUL, is behind the bytes */
};

/* JSON text. Small, it's kept within: in the block of its future, mostly. */
typedef struct uvow__payload {
  const char *bytes; /* NULL: none; it and len: as of all types of bytes */
  size_t len;
  union {
    struct json_t *json; /* NULL: nobody asked */
    uvow__payload_texts_t *texts;
  } u;
  uvow__cache_t *cache; /* where what is outside came from */
  uint8_t where : 4;    /* bytes: inside, outside (owned), heap: as itself, or
                        taken: in a block, whose address is in `small` */
  uint8_t seen : 4;
  char small[UVOW__PAYLOAD_SMALL];
} uvow__payload_t;

/* Bytes as payloads: one that its value owns, and one in a call, which is kept
 * for as long as there are values of it. */
extern const uvow_type_t uvow__type_payload;
extern const uvow_type_t uvow__type_params;

/* Copies the text. On UVOW_ENOMEM it's empty. */
int uvow__payload_init(uvow__payload_t *payload, uvow__cache_t *cache,
                       uvow__slice_t text);
/* The same for a text in `whole`, which is the loop's memory: if it's large,
 * and most of it, the payload takes that memory instead, and whole is left
 * empty. */
int uvow__payload_take(uvow__payload_t *payload, uvow__cache_t *cache,
                       uvow__slice_t text, uvow__buf_t *whole);
/* One on the heap, of `len` undefined bytes, or NULL. */
uvow__payload_t *uvow__payload_new(uvow__cache_t *cache, size_t len);
/* One on the heap: a copy of a text (ptr NULL: none), and of an event's name
 * behind it. NULL: no memory. */
uvow__payload_t *uvow__payload_item(uvow__cache_t *cache, uvow__slice_t text,
                                    uvow__slice_t name);
/* That name, or NULL: it has none. Borrowed. */
const char *uvow__payload_name(const uvow__payload_t *payload);
/* That of a result's bytes: borrowed (as long as the result). Errors:
 * UVOW_ETYPE: it has none; UVOW_ENOMEM. */
int uvow__result_payload(const uvow_result_t *result,
                         uvow__payload_t **ret_payload);
/* The text as json_t, parsed at the first call: borrowed (as long as the
 * payload). Errors: UVOW_EPAYLOAD, UVOW_ENOMEM. */
int uvow__payload_json(uvow__payload_t *payload, struct json_t **ret_json);
/* Whether its text is JSON: 0, or UVOW_EPAYLOAD. Looks once. */
int uvow__payload_check(uvow__payload_t *payload);
/* What a string in a checked payload means; raw is where it stands. Writes
 * borrowed text (as long as the payload), which ends with a NUL. Errors:
 * UVOW_ETYPE: no string, or there's a NUL in it; UVOW_ENOMEM. */
int uvow__payload_text(uvow__payload_t *payload, uvow__slice_t raw,
                       uvow__slice_t *ret_text);
/* Frees what it holds (and itself, if it's on the heap). */
void uvow__payload_done(uvow__payload_t *payload);

/* A value as JSON text: borrowed from it where it holds some, else written into
 * `out`, which is empty. No bytes: it is no value, or no bytes. Errors:
 * UVOW_ETYPE: it can't be written; UVOW_EINVAL: a number that isn't finite, text
 * that isn't UTF-8; UVOW_ENOMEM, UVOW_EOVERLOAD; what uvow__type_failed says. */
int uvow__value_text(const uvow_value_t *value, uvow__buf_t *out,
                     uvow__slice_t *ret_text);
/* Whether its text is what came in a message. */
int uvow__value_is_checked(const uvow_value_t *value);

#endif
