#ifndef UVOW__JSON_H
#define UVOW__JSON_H

#include "base/buf.h"

/* The only room for jansson: payloads to json_t and back. */
struct json_t;

/* Parses any JSON value. Returns new in ret_json. Errors: UVOW_EPAYLOAD: not
 * JSON; UVOW_ENOMEM. */
int uvow__json_parse(uvow__slice_t text, struct json_t **ret_json);
/* Why a text can't be parsed, as a sentence, cut to fit: jansson's reason, and
 * where. Slow. */
void uvow__json_reason(uvow__slice_t text, char *ret, size_t size);
/* Appends it without spaces. Errors: UVOW_EINVAL: NULL, or has no text;
 * UVOW_ENOMEM and UVOW_EOVERLOAD of the buffer. */
int uvow__json_dump(struct json_t *json, uvow__buf_t *out);
/* Appends a number. UVOW_EINVAL: not finite. */
int uvow__json_dump_double(double number, uvow__buf_t *out);
/* One owner more. */
void uvow__json_ref(struct json_t *json);
/* One owner less. Accepts NULL. */
void uvow__json_unref(struct json_t *json);
#ifdef UVOW_DEBUG
/* How many own it; SIZE_MAX: nobody needs to, as of true. */
size_t uvow__json_owners(const void *json);
/* Whether it is the tree, which was parsed, or in it. Slow. */
int uvow__json_holds(const struct json_t *tree, const struct json_t *json);
#endif

#endif
