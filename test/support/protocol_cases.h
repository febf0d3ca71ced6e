#ifndef UVOW_TEST_PROTOCOL_CASES_H
#define UVOW_TEST_PROTOCOL_CASES_H

#include "support.h"

#include <uvow/error.h>

#include "protocol/protocol.h"

/* Tables of what a protocol reads and writes. */

#define S(literal)                                                             \
  { literal, sizeof(literal) - 1 }
#define MALFORMED UVOW__MSG_MALFORMED
#define OK UVOW__MSG_OK
#define FAILED UVOW__MSG_ERROR
#define EVENT UVOW__MSG_EVENT
#define CALL UVOW__MSG_CALL
#define PARTIAL UVOW__MSG_PARTIAL
#define ENDED UVOW__MSG_END
#define CANCEL UVOW__MSG_CANCEL
#define CONTROL UVOW__MSG_CONTROL
#define IGNORED UVOW__MSG_IGNORE
#define FAULT UVOW__MSG_FAULT
#define BAD_CALL UVOW__MSG_BAD_CALL
#define BAD UVOW_EENVELOPE

/* parts: id|name|value|session|code|message|data| */
typedef struct decode_case {
  const char *text;
  int kind; /* or UVOW_EENVELOPE */
  uint64_t id;
  const char *parts;
} decode_case_t;

/* expected: the text, or NULL: UVOW_EINVAL, and nothing appended. */
typedef struct encode_case {
  uvow__op_t op;
  const char *expected;
} encode_case_t;

/* Every text is read as it should be, and nothing that is cut short. */
void check_decodes(const uvow_protocol_t *protocol, const decode_case_t *cases,
                   size_t count);
void check_prefixes(const uvow_protocol_t *protocol, const decode_case_t *cases,
                    size_t count);
/* Every operation is written as it should be. */
void check_encodes(const uvow_protocol_t *protocol, const encode_case_t *cases,
                   size_t count);
void check_encode(const uvow_protocol_t *protocol, const encode_case_t *one);

#endif
