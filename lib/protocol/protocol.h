#ifndef UVOW__PROTOCOL_H
#define UVOW__PROTOCOL_H

#include <stdatomic.h>
#include <string.h>

#include <uvow/protocol.h>

#include "rules.h"
#include "template.h"

/* The largest id of ours: every JSON reader keeps it exactly. */
#define UVOW__ID_MAX UINT64_C(0x1FFFFFFFFFFFFF)

#define UVOW__SPLICE_MIN 16384

/* Bits: params are a value that uvow__protocol_decode has found; they are not
 * copied if they have at least UVOW__SPLICE_MIN bytes and a place of their own:
 * `inner` of the splice is them, `at` where they belong, from the front of what
 * it is appended to. */
#define UVOW__PARAMS_CHECKED 1
#define UVOW__PARAMS_SPLICED 2

/* What can be written. */
typedef enum uvow__op_kind {
  UVOW__OP_CALL,
  UVOW__OP_NOTIFY,
  UVOW__OP_REPLY,
  UVOW__OP_REPLY_ERROR,
  UVOW__OP_EVENT,
  UVOW__OP_CANCEL,
  UVOW__OP_PARTIAL,
  UVOW__OP_END,
  UVOW__OP_SUBSCRIBE,
  UVOW__OP_KINDS
} uvow__op_kind_t;

/* What a template's variables stand for: JSON text, checked by whoever set it.
 */
typedef struct uvow__var {
  uvow__slice_t name;
  uvow__slice_t json;
} uvow__var_t;

/* All of it borrowed; what isn't there is all zero. */
typedef struct uvow__op {
  uvow__op_kind_t kind;
  int params_how;         /* UVOW__PARAMS_* */
  uint64_t id;            /* ours: 1 to UVOW__ID_MAX */
  uvow__slice_t raw_id;   /* the peer's, as it stood in its call; before id */
  uvow__slice_t method;   /* plain text, may be empty; of an event, its name */
  uvow__slice_t params;   /* JSON text; of a reply, its result */
  uvow__splice_t *splice; /* see UVOW__PARAMS_SPLICED */
  uvow__slice_t session;  /* plain text; only where has_session */
  /* Plain text; dropped where the protocol has no place for it. */
  uvow__slice_t traceparent;
  int64_t error_code;            /* of REPLY_ERROR, as all that follows */
  uvow__slice_t error_code_text; /* plain text: instead of it; or none */
  uvow__slice_t error_message;   /* plain text */
  uvow__slice_t error_data;      /* JSON text */
  const uvow__ids_t *ids;        /* NULL: the protocol's */
  const uvow__var_t *vars;
  size_t var_count;
  const uvow__var_t *session_vars; /* of a session; before those */
  size_t session_var_count;
  const struct uvow__form *form; /* of a call without options; or NULL */
} uvow__op_t;

/* One with nothing in it. Copied in two parts, which compilers do with vectors:
 * all at once is slower, and so is zeroing in place. */
static inline void uvow__op_init(uvow__op_t *op) {
  static const uvow__op_t empty;
  size_t part = offsetof(uvow__op_t, session);
  memcpy(op, &empty, part);
  memcpy((char *)op + part, (const char *)&empty + part, sizeof(empty) - part);
}

/* What was read. Slices are raw JSON text (strings with their quotes, see
 * json_text.h), borrowed from the message; NULL where there's none. */
typedef struct uvow__msg {
  uvow__msg_kind_t kind;
  uint8_t has_id;         /* the id is one of ours: 1 to UVOW__ID_MAX */
  uint8_t has_error_code; /* the code is an integer of 64 bits */
  uint8_t fault;          /* uvow__fault_t, of what is malformed */
  uint8_t half;           /* of an answer: see uvow__rule_t */
  uint64_t id;
  uvow__slice_t raw_id; /* any kind of JSON */
  uvow__slice_t name;   /* a string; no NUL character in it */
  uvow__slice_t session;
  uvow__slice_t traceparent;
  uvow__slice_t value;

  /* What follows is written only where the kind is said with it, or nothing
   * could be read (then all of it is). */

  /* ERROR, FAULT. */
  int64_t error_code;
  uvow__slice_t error_code_text; /* any kind of JSON */
  uvow__slice_t error_message;   /* a string */
  uvow__slice_t error_data;      /* without one: error_whole, if it has more */
  uvow__slice_t error_whole;     /* the object with all of its members */

  /* MALFORMED, BAD_CALL, and what can't be read. `refusal` is what to answer
   * if it was a call, with raw_id or else null; NULL: nothing. MALFORMED may
   * be either: an answer if something waits for it, else a call. */
  const char *refusal;
  int64_t refusal_code;
  size_t fault_at; /* bytes from the start */

  /* CONTROL: see uvow__protocol_control; NULL: nothing to send. */
  const uvow__template_t *reply;
  /* Of any kind, where the protocol's sessions have names. */
  uvow__slice_t session2;
} uvow__msg_t;

#define UVOW__MSG_PLAIN offsetof(uvow__msg_t, error_code)

/* Bits: how a protocol is more liberal than it must be. */
#define UVOW__LIBERAL_TEXT_IDS 1 /* "1" for 1 */
#define UVOW__LIBERAL_BINARY 2   /* text in binary messages */

#define UVOW__SESSIONS_MAX 2

/* Who counts the owners of a protocol that isn't built in: first in what that
 * lives in. */
typedef struct uvow__owner {
  atomic_size_t refs;
  void (*release)(struct uvow__owner *owner); /* the last one has gone */
} uvow__owner_t;

/* Notifications that are about a call, by their names. What they say is in their
 * params: a level captures it as UVOW__CAPTURE_FIRST. */
typedef struct uvow__notes {
  const char *cancel; /* of the call with this id */
  const uvow__level_t *cancel_id;
  const char *progress; /* a partial answer to the call with this token, */
  const uvow__level_t *progress_token;
  const uvow__level_t *progress_value; /* or NULL: all of them */
  const uvow__piece_t *partial;        /* writes that, with the token as id */
  const char *asks_token; /* a JSON Pointer: where a call's params have it */
} uvow__notes_t;

#define UVOW__FINAL_MAX 12

/* Of who is connected to: with which close code it ends the connection; 0: it
 * doesn't. */
typedef struct uvow__closes {
  uint16_t malformed; /* of who says what can't be read, */
  uint16_t early;     /* calls before it is let in, */
  uint16_t twice;     /* gives a call the id of one under way, */
  uint16_t again;     /* says once more what let it in */
  /* Of who connects: the server's that another attempt can't make better, up to
   * the first 0. */
  uint16_t final[UVOW__FINAL_MAX];
} uvow__closes_t;

struct uvow_protocol {
  const char *name;
  const uvow__level_t *root;
  const uvow__rule_t *rules;
  size_t rule_count;
  int has_session;
  const char *session_end; /* the event of a session's end, which has its
                              params' "sessionId"; or NULL */
  uint8_t liberal;         /* UVOW__LIBERAL_* */
  uint8_t batches;         /* an array of messages is each of them */
  uint8_t replies_first;   /* a stream is answered before its items */
  uvow__ids_t ids;
  uvow__template_t templates[UVOW__OP_KINDS];
  const char *subprotocol;                  /* or NULL */
  const char *sessions[UVOW__SESSIONS_MAX]; /* variables, or NULL */
  const struct uvow__step *steps;           /* see opening.h */
  size_t step_count;
  const struct uvow__step *accepts; /* the same of who is connected to */
  size_t accept_count;
  uvow__closes_t closes;
  const struct uvow__heartbeat *heartbeat; /* or NULL */
  const uvow__notes_t *notes;              /* or NULL */
  const uvow_codec_t *codec;               /* or NULL */
  const struct uvow__native *native;       /* see dialect.h; or NULL */
  uvow__owner_t *owner;                    /* NULL: it lives for ever */
};

/* One more owner, of one that is only read. Accepts NULL. */
static inline const uvow_protocol_t *
uvow__protocol_keep(const uvow_protocol_t *protocol) {
  return uvow_protocol_ref((uvow_protocol_t *)(uintptr_t)protocol);
}
static inline void uvow__protocol_drop(const uvow_protocol_t *protocol) {
  uvow_protocol_unref((uvow_protocol_t *)(uintptr_t)protocol);
}

extern const uvow_protocol_t uvow__protocol_jsonrpc2;
extern const uvow_protocol_t uvow__protocol_callback_id;
extern const uvow_protocol_t uvow__protocol_cdp;
extern const uvow_protocol_t uvow__protocol_graphql_transport_ws;
extern const uvow_protocol_t uvow__protocol_home_assistant;
extern const uvow_protocol_t uvow__protocol_lsp;
extern const uvow_protocol_t uvow__protocol_mcp;
extern const uvow_protocol_t uvow__protocol_obs5;
extern const uvow_protocol_t uvow__protocol_phoenix2;
extern const uvow_protocol_t uvow__protocol_wamp2;
extern const uvow_protocol_t uvow__protocol_webdriver_bidi;

static inline int uvow__protocol_can(const uvow_protocol_t *protocol,
                                     uvow__op_kind_t kind) {
  return protocol->templates[kind].count > 0 ||
         (protocol->codec && protocol->codec->write);
}

/* Whether messages say that there are no more partial answers. */
int uvow__protocol_ends(const uvow_protocol_t *protocol);

/*
 * Appends the message of an operation, all or nothing. Params and data must be
 * JSON as far as uvow__envelope_value looks, so that they can't forge an id.
 * Params that were looked at when they came aren't again.
 * Returns 0, UVOW_EINVAL: the protocol has no such operation or can't carry
 * what's in it, a text isn't UTF-8, params of the wrong kind or with a reserved
 * member, no method; UVOW_ENOMEM, UVOW_EOVERLOAD (see uvow__buf_reserve).
 */
int uvow__protocol_encode(const uvow_protocol_t *protocol, const uvow__op_t *op,
                          uvow__buf_t *out);

/*
 * Reads one message: UTF-8, borrowed, and borrowed by *ret. Returns 0, or
 * UVOW_EENVELOPE: not JSON, or nothing that the protocol knows; then *ret says
 * why, and what to answer.
 */
int uvow__protocol_decode(const uvow_protocol_t *protocol, const char *text,
                          size_t len, uvow__msg_t *ret);
/* The same for a client whose ids have a prefix of its own. */
int uvow__protocol_decode_as(const uvow_protocol_t *protocol,
                             const uvow__ids_t *ids, const char *text,
                             size_t len, uvow__msg_t *ret);

/* The same, one that looks like this operation's message tried first: what came
 * last is mostly what comes next. Never different. */
int uvow__protocol_decode_like(const uvow_protocol_t *protocol,
                               const uvow__ids_t *ids, uvow__op_kind_t like,
                               const char *text, size_t len, uvow__msg_t *ret);

/* The same by the rules alone, without the templates: slower, never different.
 */
int uvow__protocol_decode_by_rules(const uvow_protocol_t *protocol,
                                   const uvow__ids_t *ids, const char *text,
                                   size_t len, uvow__msg_t *ret);

/* A message that is none: why, and what to answer. */
void uvow__protocol_fault(uvow__msg_t *ret, uvow__fault_t fault, size_t at);

/* Why a message is malformed, as a sentence: static text. */
const char *uvow__fault_text(uvow__fault_t fault);

/* Appends what is sent at once for a CONTROL message that has a reply. Errors
 * as those of uvow__protocol_encode. */
int uvow__protocol_control(const uvow_protocol_t *protocol,
                           const uvow__msg_t *msg, uvow__buf_t *out);

/* What a protocol lacks to be a server's: static text, or NULL: nothing. */
const char *uvow__protocol_lacks(const uvow_protocol_t *protocol);

#endif
