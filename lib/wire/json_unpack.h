#ifndef UVOW__JSON_UNPACK_H
#define UVOW__JSON_UNPACK_H

#include <stdarg.h>

#include "base/buf.h"

/*
 * Several fields of a JSON text in one pass, by a format, that of jansson's
 * json_unpack:
 *
 *   { } [ ]    an object: keys (const char *), each with its value; an array:
 *              its first items, in their order
 *   s i I f b o n   values; F is f
 *   s?         before a value: the member may be missing
 *   ! *        last in { } or [ ]: nothing else may stand there; it may
 *
 * A plan is read from the format and its arguments, then matched with a text
 * that uvow__json_check has accepted. What a value is converted to is the
 * caller's business.
 */
#define UVOW__JSON_WANTS_MAX                                                   \
  64 /* values of a format, containers among them                              \
      */

typedef struct uvow__json_want {
  uvow__slice_t key; /* of a member */
  uvow__slice_t raw; /* what was found; ptr NULL: nothing */
  void *ret;         /* of a value: where it goes */
  char type;         /* as in the format */
  uint8_t optional;
  uint8_t strict; /* of a container: ! */
  uint8_t parent; /* 0 is the outermost one, which is its own */
  uint8_t next;   /* within the same container; 0: it is the last one */
} uvow__json_want_t;

typedef struct uvow__json_plan {
  size_t count;
  uvow__json_want_t wants[UVOW__JSON_WANTS_MAX];
} uvow__json_plan_t;

/* Keys are borrowed. Returns 0, or UVOW_EINVAL: the format is wrong, or longer
 * than that. */
int uvow__json_plan_read(uvow__json_plan_t *plan, const char *format,
                         va_list args);
/* Returns 0, or UVOW_ETYPE: a value is missing, a container is none, there is
 * more than there may be. */
int uvow__json_plan_match(uvow__json_plan_t *plan, uvow__slice_t text);

#endif
