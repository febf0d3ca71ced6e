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

/* Who makes a variable of others that a step has picked. */
typedef enum uvow__maker {
  UVOW__MAKES_NOTHING,
  UVOW__MAKES_OBS5,    /* password, challenge, salt -> authentication */
  UVOW__MAKES_WAMPCRA, /* secret, challenge, salt ... -> signature */
  /* password -> asks, of a random challenge and salt; authentication. Without a
   * password, nothing. */
  UVOW__MAKES_OBS5_ASKS
} uvow__maker_t;

/* One step: something to send, or something to wait for. */
typedef struct uvow__step {
  uvow__template_t send; /* without pieces: it waits */
  /* While it waits: what may come before that, and what is sent then. */
  const struct uvow__step *meanwhile;
  uint8_t meanwhile_count;
  uint8_t makes; /* uvow__maker_t: from what it picked, or before it sends */
  uvow__rule_t expect;
  uvow__rule_t refusal; /* of kind ERROR where there's one: it won't come */
  uvow__pick_t picks[UVOW__PICKS_MAX];
  uint8_t pick_count;
  uvow__pick_t same;   /* a value that the variable must have; or NULL */
  uint8_t same_if_set; /* where it isn't set, any will do */
  uint8_t asks; /* the application's own step comes here, and may refuse too */
  uint16_t close;             /* the close code of who is refused; 0: 1008 */
  uint16_t late;              /* of who doesn't say what is expected */
  uvow__template_t otherwise; /* said where it is refused; or none */
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

/* same: what the step's variable stands for, JSON text; or none: it isn't set.
 */
uvow__step_result_t uvow__step_read(const uvow_protocol_t *protocol,
                                    const uvow__step_t *step,
                                    uvow__slice_t same, const char *text,
                                    size_t len, uvow__step_read_t *ret);

/* The same for what may come meanwhile: OTHER, or DONE and which. */
uvow__step_result_t uvow__step_meanwhile(const uvow_protocol_t *protocol,
                                         const uvow__step_t *step,
                                         const char *text, size_t len,
                                         uvow__step_read_t *ret,
                                         const uvow__step_t **ret_which);
/* The variable that a maker gives. */
const char *uvow__maker_gives(unsigned maker);

/* Appends what a step sends: one of its templates. UVOW_EINVAL: it has none, or a
 * variable of it isn't set. */
int uvow__step_write(const uvow_protocol_t *protocol,
                     const uvow__template_t *template, const uvow__op_t *op,
                     uvow__buf_t *out);

/* Appends the message of a heartbeat that has one. */
int uvow__heartbeat_write(const uvow_protocol_t *protocol, const uvow__op_t *op,
                          uvow__buf_t *out);

#endif
