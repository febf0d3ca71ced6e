#ifndef UVOW__RULES_H
#define UVOW__RULES_H

#include "wire/envelope.h"

/* What a protocol reads messages with: rules, all of them static data. */

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
  uint8_t traceparent; /* no part of it if it's no string */
  uint8_t error_code;
  uint8_t error_message;
  uint8_t error_data;
} uvow__rule_t;

/* All kinds but these. */
#define UVOW__ONLY(kinds) ((uint8_t)(0xFFu ^ (kinds)))
/* Must not be there. */
#define UVOW__NOT ((uint8_t)(0xFFu ^ UVOW__KIND(ABSENT)))

#define UVOW__COUNT(array) (sizeof(array) / sizeof(*(array)))
#define UVOW__TEST(capture, text)                                              \
  {                                                                            \
    (capture), {                                                               \
      text, sizeof(text) - 1                                                   \
    }                                                                          \
  }
#define UVOW__TESTS(list) .tests = (list), .test_count = UVOW__COUNT(list)

#endif
