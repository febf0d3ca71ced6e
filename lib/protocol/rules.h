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
  UVOW__MSG_IGNORE,
  UVOW__MSG_END,     /* the partial answer before it was the last one */
  UVOW__MSG_CANCEL,  /* the peer wants no answer to its call any more */
  UVOW__MSG_FAULT,   /* the peer's error about a message that it doesn't name */
  UVOW__MSG_BAD_CALL /* a call that can't be read; see `refusal` */
} uvow__msg_kind_t;

/* How ids of ours look. */
typedef enum uvow__id_form {
  UVOW__IDS_NUMBER,
  UVOW__IDS_TEXT,  /* a string: a prefix and the number in decimal */
  UVOW__IDS_RANDOM /* the same, the prefix each client's own */
} uvow__id_form_t;

typedef struct uvow__ids {
  uint8_t form;       /* uvow__id_form_t */
  uint8_t texts;      /* numbers come back as strings too */
  const char *prefix; /* plain, needs no escape in JSON */
  size_t prefix_len;
} uvow__ids_t;

/* Sets of kinds of JSON, "absent" among them. */
#define UVOW__KIND(kind) ((uint8_t)UVOW__JSON_##kind)
#define UVOW__KINDS_ANY ((uint8_t)(0xFFu ^ UVOW__KIND(ABSENT)))
#define UVOW__KINDS_NO_VALUE ((uint8_t)(UVOW__KIND(ABSENT) | UVOW__KIND(NULL)))

typedef enum uvow__test_how {
  UVOW__TEST_IS,     /* this raw text, or a string that means the same; it
                        needs no escape */
  UVOW__TEST_MEANS,  /* a string that means this plain text */
  UVOW__TEST_BEGINS, /* a string that begins with this plain text */
  UVOW__TEST_ENDS
} uvow__test_how_t;

/* A capture that is there is so. */
typedef struct uvow__test {
  uint8_t capture;
  uint8_t how; /* uvow__test_how_t */
  uvow__slice_t text;
} uvow__test_t;

/* If no capture is of a kind that is denied, and all tests hold, the message is
 * of this kind, and these captures are its parts (UVOW__CAPTURE_NONE: it has no
 * such part). Names and sessions must be strings, or absent. */
typedef struct uvow__rule {
  uint8_t denied[UVOW__CAPTURES_MAX]; /* sets: [capture] = UVOW__ONLY(...) */
  const uvow__test_t *tests;
  const struct uvow__template *reply; /* of CONTROL, or NULL */
  uvow__slice_t named; /* a name that isn't in the message: JSON text */
  uint8_t test_count;
  uint8_t groups; /* of 8 captures; 0: 2 */
  uint8_t kind;   /* uvow__msg_kind_t */
  uint8_t id;
  uint8_t name;
  uint8_t value;
  uint8_t session;
  uint8_t session2;
  uint8_t traceparent; /* no part of it if it's no string */
  uint8_t error_code;
  uint8_t error_message;
  uint8_t error_data;
  uint8_t error_whole;
  uint8_t half;    /* OK, ERROR, END: the answer is whole with another half */
  uint8_t refuses; /* MALFORMED: it may be a call, and is answered */
} uvow__rule_t;

int uvow__rule_holds(const uvow__rule_t *rule, const uvow__captures_t *found);

/* Whether a raw id is one of ours, and which. */
int uvow__ids_read(const uvow__ids_t *ids, uvow__slice_t raw, uint64_t *ret_id);

/* All kinds but these. */
#define UVOW__ONLY(kinds) ((uint8_t)(0xFFu ^ (kinds)))
/* Must not be there. */
#define UVOW__NOT ((uint8_t)(0xFFu ^ UVOW__KIND(ABSENT)))

#define UVOW__COUNT(array) (sizeof(array) / sizeof(*(array)))
#define UVOW__TEST(capture, text)                                              \
  {                                                                            \
    (capture), UVOW__TEST_IS, {                                                \
      text, sizeof(text) - 1                                                   \
    }                                                                          \
  }
#define UVOW__TESTS(list) .tests = (list), .test_count = UVOW__COUNT(list)

#endif
