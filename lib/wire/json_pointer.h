#ifndef UVOW__JSON_POINTER_H
#define UVOW__JSON_POINTER_H

#include "base/buf.h"

/*
 * Values found in JSON texts that uvow__json_check has accepted: slices of the
 * text, without the space around them. Of another text what is found is
 * anything within it.
 */

/* Behind the space that is there, if any. */
static inline const char *uvow__json_space(const char *p, const char *end) {
  while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
    p++;
  return p;
}

/* What stands in the text: it without the space around it. */
uvow__slice_t uvow__json_trim(uvow__slice_t text);

/* Whether a text is a JSON Pointer. NULL is none. */
int uvow__json_is_pointer(const char *text);
/*
 * What a JSON Pointer (RFC 6901) leads to. "" is the whole. Of members with the
 * same name the last one counts, as with jansson. Returns 0, UVOW_EINVAL: no
 * JSON Pointer; UVOW_ETYPE: it leads nowhere.
 */
int uvow__json_find(uvow__slice_t text, const char *pointer,
                    uvow__slice_t *ret_value);

/* Whether a key, as it stands in the text, with its quotes, means this name. */
int uvow__json_key_is(uvow__slice_t raw, uvow__slice_t name);

/* Stands before the next item of an array or object. */
typedef struct uvow__json_items {
  const char *p;
  const char *end;
} uvow__json_items_t;

/* From the first item on; of what is neither array nor object there is none. */
uvow__json_items_t uvow__json_items(uvow__slice_t value);
/* Returns 0: there is no more. An item of an array has an empty key (NULL); a
 * member's key has its quotes. */
int uvow__json_items_next(uvow__json_items_t *items, uvow__slice_t *ret_key,
                          uvow__slice_t *ret_value);

#endif
