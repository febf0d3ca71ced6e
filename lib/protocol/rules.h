#ifndef UVOW__RULES_H
#define UVOW__RULES_H

#include "wire/envelope.h"

/* What a protocol is made of: rules that read a message, and templates that
 * write one. All of it is static data. */

/* What a message is. */
typedef enum uvow__msg_kind {
  UVOW__MSG_MALFORMED, /* an answer that can't be believed; its id can */
  UVOW__MSG_OK,
  UVOW__MSG_ERROR,
  UVOW__MSG_PARTIAL, /* an answer that isn't the last one */
  UVOW__MSG_EVENT,
  UVOW__MSG_CALL,
  UVOW__MSG_CONTROL,
  UVOW__MSG_IGNORE
} uvow__msg_kind_t;

/* Sets of kinds of JSON, "absent" among them. */
#define UVOW__KIND(kind) ((uint8_t)UVOW__JSON_##kind)
#define UVOW__KINDS_ANY ((uint8_t)(0xFFu ^ UVOW__KIND(ABSENT)))
#define UVOW__KINDS_NO_VALUE ((uint8_t)(UVOW__KIND(ABSENT) | UVOW__KIND(NULL)))

/* A capture that is there has this raw text, or is a string that means the
 * same. */
typedef struct uvow__test {
  uint8_t capture;
  uvow__slice_t text;
} uvow__test_t;

/* If no capture is of a kind that is denied, and all tests hold, the message is
 * of this kind, and these captures are its parts (UVOW__CAPTURE_NONE: it has no
 * such part). Names and sessions must be strings, or absent. */
typedef struct uvow__rule {
  uint8_t denied[UVOW__CAPTURES_MAX]; /* sets: [capture] = UVOW__ONLY(...) */
  const uvow__test_t *tests;
  uint8_t test_count;
  uint8_t kind; /* uvow__msg_kind_t */
  uint8_t id;
  uint8_t name;
  uint8_t value;
  uint8_t session;
  uint8_t error_code;
  uint8_t error_message;
  uint8_t error_data;
} uvow__rule_t;

/* All kinds but these. */
#define UVOW__ONLY(kinds) ((uint8_t)(0xFFu ^ (kinds)))
/* Must not be there. */
#define UVOW__NOT ((uint8_t)(0xFFu ^ UVOW__KIND(ABSENT)))

/* What is written where. */
typedef enum uvow__piece_kind {
  UVOW__PUT_TEXT, /* `before`, nothing else */
  UVOW__PUT_ID,
  UVOW__PUT_METHOD,
  UVOW__PUT_PARAMS,
  UVOW__PUT_FIELDS, /* the members of params, without its braces */
  UVOW__PUT_SESSION,
  UVOW__PUT_ERROR_CODE,
  UVOW__PUT_ERROR_MESSAGE,
  UVOW__PUT_ERROR_DATA,
  UVOW__PUT_ERROR_DATA_OR_MESSAGE
} uvow__piece_kind_t;

/* What becomes of a piece that the operation has nothing for. */
typedef enum uvow__piece_absent {
  UVOW__ABSENT_FAILS, /* UVOW_EINVAL */
  UVOW__ABSENT_OMITS, /* nothing is written, `before` neither */
  UVOW__ABSENT_NULL   /* null is written */
} uvow__piece_absent_t;

/* Literal text, and a value behind it. */
typedef struct uvow__piece {
  uint8_t kind;   /* uvow__piece_kind_t */
  uint8_t absent; /* uvow__piece_absent_t */
  uint8_t kinds;  /* of JSON text that may stand here (id, params, data) */
  uvow__slice_t before;
  /* Required for fields: names that none may have, captured from
   * UVOW__CAPTURE_FIRST on. */
  const uvow__level_t *reserved;
} uvow__piece_t;

/* A message of one kind of operation; without pieces, the protocol has none. */
typedef struct uvow__template {
  const uvow__piece_t *pieces;
  size_t count;
} uvow__template_t;

#define UVOW__COUNT(array) (sizeof(array) / sizeof(*(array)))
#define UVOW__TEST(capture, text)                                              \
  {                                                                            \
    (capture), {                                                               \
      text, sizeof(text) - 1                                                   \
    }                                                                          \
  }
#define UVOW__TESTS(list) .tests = (list), .test_count = UVOW__COUNT(list)
#define UVOW__TEXT(text)                                                       \
  { UVOW__PUT_TEXT, UVOW__ABSENT_FAILS, 0, {text, sizeof(text) - 1}, NULL }
#define UVOW__PUT(what, absent, kinds, before)                                 \
  {                                                                            \
    UVOW__PUT_##what, UVOW__ABSENT_##absent, (kinds),                          \
        {before, sizeof(before) - 1}, NULL                                     \
  }
#define UVOW__TEMPLATE(pieces)                                                 \
  { (pieces), UVOW__COUNT(pieces) }

#endif
