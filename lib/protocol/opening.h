#ifndef UVOW__PROTOCOL_OPENING_H
#define UVOW__PROTOCOL_OPENING_H

#include "protocol.h"

/* What is said between the handshake and OPEN, and again and again later. Who
 * says it is the session. */

#define UVOW__PICKS_MAX 4

typedef struct uvow__pick {
  const char *name;
  uint8_t capture;
} uvow__pick_t;

/* One step: something to send, or something to wait for. */
typedef struct uvow__step {
  uvow__template_t send; /* without pieces: it waits */
  uvow__rule_t expect;
  uvow__rule_t refusal; /* of kind ERROR where there's one: it won't come */
  uvow__pick_t picks[UVOW__PICKS_MAX];
  uint8_t pick_count;
} uvow__step_t;

typedef struct uvow__heartbeat {
  uint32_t every_ms;
  const char *method; /* to be called; NULL: message */
  uvow__template_t message;
} uvow__heartbeat_t;

typedef enum uvow__step_result {
  UVOW__STEP_OTHER, /* the message is about something else */
  UVOW__STEP_DONE,
  UVOW__STEP_REFUSED
} uvow__step_result_t;

/* Borrowed from the message, and from the protocol. */
typedef struct uvow__step_read {
  uvow__var_t picks[UVOW__PICKS_MAX];
  size_t pick_count;
  uvow__slice_t message; /* REFUSED: why, a string as JSON text; or none */
} uvow__step_read_t;

uvow__step_result_t uvow__step_read(const uvow_protocol_t *protocol,
                                    const uvow__step_t *step, const char *text,
                                    size_t len, uvow__step_read_t *ret);

/* Appends what a step sends. UVOW_EINVAL: a variable of it isn't set. */
int uvow__step_write(const uvow_protocol_t *protocol, const uvow__step_t *step,
                     const uvow__op_t *op, uvow__buf_t *out);

/* Appends the message of a heartbeat that has one. */
int uvow__heartbeat_write(const uvow_protocol_t *protocol, const uvow__op_t *op,
                          uvow__buf_t *out);

#endif
