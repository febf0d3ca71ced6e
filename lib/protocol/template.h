#ifndef UVOW__TEMPLATE_H
#define UVOW__TEMPLATE_H

#include "base/buf.h"
#include "rules.h"

/* What a protocol writes messages with: templates, all of them static data.
 * What a peer writes in the same way is read with them too. */

struct uvow__op;
struct uvow__msg;

/* What is written where. */
typedef enum uvow__piece_kind {
  UVOW__PUT_TEXT, /* the text, nothing else */
  UVOW__PUT_ID,
  UVOW__PUT_METHOD,
  UVOW__PUT_PARAMS,
  UVOW__PUT_FIELDS, /* the members of params, without its braces */
  UVOW__PUT_SESSION,
  UVOW__PUT_TRACEPARENT,
  UVOW__PUT_ERROR_CODE,
  UVOW__PUT_ERROR_MESSAGE,
  UVOW__PUT_ERROR_DATA,
  UVOW__PUT_ERROR_DATA_OR_MESSAGE,
  UVOW__PUT_VAR,    /* see uvow__op_t */
  UVOW__PUT_ARGS,   /* params if they're an array, else an empty one */
  UVOW__PUT_KWARGS, /* params if they're an object, else nothing */
  UVOW__PUT_OBJECT  /* params if they're an object, else an empty one */
} uvow__piece_kind_t;

/* What becomes of a piece that the operation has nothing for. */
typedef enum uvow__piece_absent {
  UVOW__ABSENT_FAILS, /* UVOW_EINVAL */
  UVOW__ABSENT_OMITS, /* nothing is written, the text neither */
  UVOW__ABSENT_NULL   /* null is written */
} uvow__piece_absent_t;

#define UVOW__PIECE_TEXT 32

/* Literal text, and a value behind it. */
typedef struct uvow__piece {
  uint8_t kind;   /* uvow__piece_kind_t */
  uint8_t absent; /* uvow__piece_absent_t */
  uint8_t kinds;  /* of JSON text that may stand here (id, params, data) */
  uint8_t len;    /* of the text: at least 1 */
  char text[UVOW__PIECE_TEXT]; /* zeros behind it: it's copied whole */
  /* Required for fields: the protocol's own names, captured from
   * UVOW__CAPTURE_FIRST on. No field may have one of the first `denied` names,
   * and one field each of the others. */
  const uvow__level_t *reserved;
  uint8_t denied;
  const char *var; /* name of the variable */
} uvow__piece_t;

/* A message of one kind of operation; without pieces, the protocol has none. */
typedef struct uvow__template {
  const uvow__piece_t *pieces;
  uint8_t count;
  /* Optional: uvow__msg_kind_t, what the rules say of a message that is
   * written so, with an id that could be ours. */
  uint8_t reads;
} uvow__template_t;

#define UVOW__TEXT(text)                                                       \
  {                                                                            \
    UVOW__PUT_TEXT, UVOW__ABSENT_FAILS, 0, sizeof(text) - 1, text, NULL, 0,    \
        NULL                                                                   \
  }
#define UVOW__PUT(what, absent, kinds, before)                                 \
  {                                                                            \
    UVOW__PUT_##what, UVOW__ABSENT_##absent, (kinds), sizeof(before) - 1,      \
        before, NULL, 0, NULL                                                  \
  }
#define UVOW__PUT_VARIABLE(name, absent, before)                               \
  {                                                                            \
    UVOW__PUT_VAR, UVOW__ABSENT_##absent, UVOW__KINDS_ANY, sizeof(before) - 1, \
        before, NULL, 0, name                                                  \
  }
#define UVOW__PUT_MERGED(reserved, denied)                                     \
  {                                                                            \
    UVOW__PUT_FIELDS, UVOW__ABSENT_OMITS, UVOW__KIND(OBJECT), 1, ",",          \
        (reserved), (denied), NULL                                             \
  }
#define UVOW__TEMPLATE(pieces)                                                 \
  { (pieces), sizeof(pieces) / sizeof(*(pieces)), 0 }
#define UVOW__TEMPLATE_READS(pieces, kind)                                     \
  { (pieces), sizeof(pieces) / sizeof(*(pieces)), UVOW__MSG_##kind }

/* Appends the message of an operation, all or nothing. Errors as those of
 * uvow__protocol_encode. */
int uvow__template_write(const uvow__template_t *template,
                         const uvow__ids_t *ids, const struct uvow__op *op,
                         uvow__buf_t *out);

/* The piece that the operation has nothing right for (UVOW_EINVAL), or NULL. */
const uvow__piece_t *uvow__template_wrong(const uvow__template_t *template,
                                          const uvow__ids_t *ids,
                                          const struct uvow__op *op,
                                          const uvow__mem_t *mem);

/*
 * Reads a message that is just as the template writes it: the same members in
 * the same order, no space between them, a short integer as id, and no escape
 * in its name. Returns 1; or 0: it isn't, the rules must say what it is. *ret
 * is written then too.
 */
int uvow__template_read(const uvow__template_t *template,
                        const uvow__ids_t *ids, const char *text, size_t len,
                        struct uvow__msg *ret);

#endif
