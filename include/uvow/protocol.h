#ifndef UVOW_PROTOCOL_H
#define UVOW_PROTOCOL_H

/**
 * @file protocol.h
 * Protocols: what the messages of a WebSocket mean.
 *
 * A protocol says how a request, a reply and an event are written as a message,
 * and what a message is when one comes. It's built in, or described as JSON; it
 * is never written to, and counted atomically: any number of clients and
 * servers share one, on any thread.
 *
 * Told later: nothing. A codec is asked on the spot, and may not call uvow.
 */

#include "error.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What messages mean. Counted; built-in ones live for ever. */
typedef struct uvow_protocol uvow_protocol_t;

/**
 * A built-in one: "jsonrpc2", "lsp", "mcp", "callback_id", "cdp",
 * "webdriver_bidi", "obs5", "phoenix2", "home_assistant",
 * "graphql_transport_ws", "wamp2".
 *
 * Borrows `name`. Returns borrowed (valid for ever), or NULL: there's none, or
 * `name` is NULL. Any thread. Since 0.1.
 */
UVOW_NEW uvow_protocol_t *uvow_protocol_by_name(const char *name);

/**
 * The name by which uvow_protocol_by_name finds it.
 *
 * Borrows `protocol`. Returns borrowed static text; NULL for NULL. Any thread.
 * Since 0.1.
 */
UVOW_API const char *uvow_protocol_name(const uvow_protocol_t *protocol);

/**
 * Reads a description: `len` bytes of JSON, an object of
 *
 * name, subprotocol   text
 * base                a built-in one, to which the rest is added; its rules
 *                     come behind those of the description
 * ids                 "number" (default), "text", "random" (each client adds a
 *                     prefix of its own); id_prefix: text
 * params              what params may be: "any" (default), "object", "array",
 *                     "structured" (either)
 * open                [{"send": M, "make": name} | {"expect": tests, "pick":
 *                     {var: P}, "make": name, "refuse": tests, "message": P,
 *                     "meanwhile": [{"when": tests, "pick": .., "make": ..,
 *                     "send": M}, ...], "same": {var: P}, "otherwise": M,
 *                     "close": code, "late": code, "ask": true}, ...]:
 *                     what is said before anything else. same: what must be as
 *                     the variable is ("var?": if it's set), or it's refused,
 *                     and otherwise is sent. close, late: with which code the
 *                     connection ends of who is refused, or says nothing
 *                     (1008). ask: the application's own step (uvow_opening_cb)
 *                     comes behind this one, not at the end, and an error of it
 *                     is a refusal. make: "obs5" (of the variables password,
 *                     challenge, salt: authentication), "obs5_asks" (of
 *                     password: asks, authentication), "wampcra" (of secret,
 *                     challenge, and salt, iterations: signature)
 * accept              the same of a server, to who has connected; a base's, and
 *                     its open, are replaced whole
 * closes              of a server: {"malformed": code, "early": code, "twice":
 *                     code, "again": code}: with which code the connection ends
 *                     of who says what can't be read, calls before accept is
 *                     done, gives a call the id of one under way, or says again
 *                     what accept expected (default: it goes on; such calls are
 *                     refused, and what can't be read is answered). Of a client:
 *                     {"final": [code, ...]}, at most 12: a connection that the
 *                     server ends with one of these can't get better, see
 *                     uvow_after_fatal_t
 * call, notify, cancel, reply, reply_error, partial, event, end, subscribe M;
 *                     without reply, an answer is a partial and an end; without
 *                     subscribe or event: as call, as notify
 * heartbeat           {"every_ms": n, "call": method} or {.., "send": M}
 * rules               [{"when": tests, "is": kind, "id": P, "name": P,
 *                     "value": P, "code": P, "message": P, "data": P,
 *                     "session": {var: P}, "traceparent": P, "reply": M,
 *                     "half": true}, ...], the first that fits counts
 * batches             true: an array of messages is each of them
 * reply_first         true: a method's stream is answered with null before its
 *                     items, and its end isn't said
 * liberal             {"text_ids": true}: "1" comes back for 1 (default false);
 *                     {"binary": true}: text in binary messages (false); with a
 *                     base: {"null_params": false}: params must not be null
 *                     (default true), {"null_error": false}: an answer with a
 *                     result has no error, not even null (true)
 *
 * M: an object or array in which these strings stand for what they name: "$id",
 * "$method", "$params", "$value" (null if there's none), "$code", "$message",
 * "$data", "$error" (an object of the three), "$data_or_message",
 * "$traceparent"; "$args" (params if they're an array, else []), "$object"
 * (params if they're an object, else {}), "$kwargs" (params if they're an
 * object); any other "$name" is a variable. A member that has nothing to stand
 * for is left out, an element is null (in `open`: the peer is refused, unless
 * it's written "$name?"). "$name!" must be there: if it isn't, UVOW_EINVAL names
 * it. "$merge": "$params" makes the members of params members of its object.
 * "$$x" is the text "$x". P: JSON Pointer; tokens of digits are elements.
 * tests: {P: value}: the same text, integer or null; true
 * and false for present and absent; {"suffix": text}, {"prefix": text},
 * {"type": "string"} or a list of types, {"is": true}. kind: ok, error (without
 * an id, or with null: about no request in particular), partial, end (no more
 * partial answers, and no value), event, call, cancel (of a call, by its id),
 * control ("reply" is sent at once; in it, "$id" and "$value" are the rule's),
 * ignore. "named": text instead of "name": the message has no name. "half":
 * true, of ok or error, and of end: an answer is whole when one of either has
 * come, in any order. What is picked must be there, but for "var?".
 * At most 62 places, 64 pieces of a message, 16 levels.
 * A server needs reply (or partial and end), reply_error, and a rule for call;
 * event, to publish.
 *
 * Borrows description. Returns new, release it with uvow_protocol_unref; NULL:
 * and writes a new error to ret_error (may be NULL): UVOW_EPROTOCOL: line,
 * column, what can't work and why; UVOW_ENOMEM. Any thread. Since 0.2.
 */
UVOW_NEW uvow_protocol_t *uvow_protocol_parse(const char *description,
                                              size_t len,
                                              uvow_error_t **ret_error);
/** What is to be written. */
typedef enum uvow_operation_kind {
  UVOW_WRITE_CALL = 1,
  UVOW_WRITE_NOTIFY = 2,
  UVOW_WRITE_CANCEL = 3,
  UVOW_WRITE_REPLY = 4,
  UVOW_WRITE_REPLY_ERROR = 5,
  UVOW_WRITE_PARTIAL = 6,
  UVOW_WRITE_HEARTBEAT = 7,
  /** As UVOW_WRITE_CALL, for uvow_peer_subscribe. */
  UVOW_WRITE_SUBSCRIBE = 8,
  /** An event, to a subscriber or a group: as UVOW_WRITE_NOTIFY. */
  UVOW_WRITE_EVENT = 9,
  /** The end of partial answers, without a value. */
  UVOW_WRITE_END = 10
} uvow_operation_kind_t;

/** What a message means. */
typedef enum uvow_meaning_kind {
  UVOW_READ_IGNORE = 0,
  UVOW_READ_OK = 1,
  UVOW_READ_ERROR = 2,
  UVOW_READ_PARTIAL = 3,
  /** The last partial answer was the last: the answer is no value. */
  UVOW_READ_END = 4,
  UVOW_READ_EVENT = 5,
  UVOW_READ_CALL = 6,
  /** The caller wants no answer to its call `id` any more. */
  UVOW_READ_CANCEL = 7,
  /** `value` is sent back as it is, before anything queued. */
  UVOW_READ_CONTROL = 8
} uvow_meaning_kind_t;

/** An operation. Borrowed. Since 0.2. */
typedef struct uvow_operation {
  /** sizeof(uvow_operation_t), set by uvow. */
  size_t size;
  uvow_operation_kind_t kind;
  uint32_t reserved;
  /** Ours, a number as text; or the peer's, as JSON text. */
  uvow_slice_t id;
  /** Of a reply: its call's, if it was one. */
  uvow_slice_t method;
  /** Params or value: JSON text; empty: none. */
  uvow_slice_t value;
  /** For UVOW_WRITE_REPLY_ERROR. */
  const uvow_error_t *error;
  /** JSON object of the session, or empty. */
  uvow_slice_t session;
} uvow_operation_t;

/** A meaning, emitted by a codec. Slices are borrowed for the call. Since 0.2.
 */
typedef struct uvow_meaning {
  /** Required. sizeof(uvow_meaning_t). */
  size_t size;
  uvow_meaning_kind_t kind;
  uint32_t reserved1;
  size_t reserved2;
  /** An answer's: ours, the number as text. A call's, or of one that is
   * canceled: the peer's, as JSON text. */
  uvow_slice_t id;
  /** Plain text: of an event or a call. */
  uvow_slice_t name;
  /** JSON text, or empty. An answer whose value isn't JSON rejects its request
   * (UVOW_EENVELOPE). */
  uvow_slice_t value;
  /** JSON text, or empty. */
  uvow_slice_t session;
  /** For UVOW_READ_ERROR: a code that is a number, or one that is text; what it
   * says to people; JSON text. Without an id the error is about no request in
   * particular. */
  int64_t code;
  uvow_slice_t code_text;
  uvow_slice_t message;
  uvow_slice_t data;
} uvow_meaning_t;

/** A message that is being written. */
typedef struct uvow_writer uvow_writer_t;
/** Where meanings go. */
typedef struct uvow_reader uvow_reader_t;

/**
 * A protocol in code.
 *
 * A connection has a state of its own, where make_state is. The callbacks see
 * bytes, never a socket. write, read and make_state run on the spot, within the
 * library: they must not call uvow, but for uvow_writer_* and uvow_reader_emit.
 * free_state and destroy run later, while no function of the library is on the
 * stack. Since 0.2.
 */
typedef struct uvow_codec {
  /** Required. sizeof(uvow_codec_t). */
  size_t size;
  /** Required. Static text. */
  const char *name;
  /** Optional. Offered, and required, in the handshake. Static text. */
  const char *subprotocol;
  /** Optional. What does the rest. Kept. */
  uvow_protocol_t *base;
  /** Optional with a base. Writes one message. Returns 0; 1: let base do it; a
   * negative code: it can't be sent. */
  int (*write)(void *state, const uvow_operation_t *op, uvow_writer_t *out);
  /** Optional with a base. Emits what a message means: 0..n. Returns as write;
   * a negative code: it's malformed. */
  int (*read)(void *state, uvow_slice_t message, int is_binary,
              uvow_reader_t *out);
  /** Optional, default: data is the state. Returns new, or NULL: no memory, and
   * the connection ends. */
  void *(*make_state)(void *data);
  /** Optional. */
  void (*free_state)(void *state);
  /** Optional. What make_state is given, and its destructor. */
  void *data;
  uvow_destroy_cb destroy;
} uvow_codec_t;

/**
 * A protocol of callbacks: what they don't do, the base does.
 *
 * Borrows `codec` (copied; its base is kept, its data taken, also on failure).
 * Returns new, release it with uvow_protocol_unref; NULL: no memory, the loop
 * is closed, the name is missing, or neither a callback nor a base says how to
 * write or read. The loop's thread. Since 0.2.
 */
UVOW_NEW uvow_protocol_t *uvow_protocol_new(uvow_loop_t *loop,
                                            const uvow_codec_t *codec);
/** Adds bytes to the message. Borrows all. Errors: UVOW_ENOMEM,
 * UVOW_EOVERLOAD. Within uvow_codec_t.write. Since 0.2. */
UVOW_API int uvow_writer_add(uvow_writer_t *out, const void *bytes, size_t len);
/** Sends the message as binary. Within uvow_codec_t.write. Since 0.2. */
UVOW_API void uvow_writer_set_binary(uvow_writer_t *out);
/** Emits a meaning, which takes effect at once. Borrows all. Errors:
 * UVOW_EINVAL: a part of it is missing, or isn't what it must be;
 * UVOW_ENOMEM. Within uvow_codec_t.read. Since 0.2. */
UVOW_API int uvow_reader_emit(uvow_reader_t *out,
                              const uvow_meaning_t *meaning);
/** One more owner. Accepts NULL. Returns its argument. Any thread. Since 0.2.
 */
UVOW_NEW uvow_protocol_t *uvow_protocol_ref(uvow_protocol_t *protocol);
/** One owner less; nothing for a built-in one. Accepts NULL. Any thread. Since
 * 0.2. */
UVOW_API void uvow_protocol_unref(uvow_protocol_t *protocol);

#ifdef __cplusplus
}
#endif

#endif
