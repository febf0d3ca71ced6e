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
 */

#include "error.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What messages mean. Counted; built-in ones live for ever. */
typedef struct uvow_protocol uvow_protocol_t;

/**
 * JSON-RPC 2.0.
 *
 * Parameters are an object, an array, or none. "jsonrpc":"2.0" is sent, and
 * required of the peer. Returns borrowed (valid for ever), never NULL. Any
 * thread. Since 0.1. Source: the JSON-RPC 2.0 specification.
 */
UVOW_API const uvow_protocol_t *uvow_protocol_jsonrpc2(void);

/**
 * Requests that carry a callback_id, and replies with result and data:
 * {"type":"get_customers","callback_id":1} is answered by
 * {"result":true,"callback_id":1,"data":[]}.
 *
 * Parameters are an object, or none: its members become members of the request,
 * so none of them may be "type" or "callback_id". A message with a type and no
 * callback_id is an event. Returns borrowed (valid for ever), never NULL. Any
 * thread. Since 0.1.
 */
UVOW_API const uvow_protocol_t *uvow_protocol_callback_id(void);

/**
 * The Chrome DevTools Protocol, with sessionId.
 *
 * Parameters are an object, or none. Returns borrowed (valid for ever), never
 * NULL. Any thread. Since 0.1.
 */
UVOW_API const uvow_protocol_t *uvow_protocol_cdp(void);

/**
 * A built-in one: "jsonrpc2", "lsp", "mcp", "callback_id", "cdp",
 * "webdriver_bidi", "obs5", "phoenix2", "home_assistant",
 * "graphql_transport_ws", "wamp2".
 *
 * Borrows `name`. Returns borrowed (valid for ever), or NULL: there's none, or
 * `name` is NULL. Any thread. Since 0.1.
 */
UVOW_API const uvow_protocol_t *uvow_protocol_by_name(const char *name);

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
 * open                [{"send": M} | {"expect": tests, "pick": {var: P},
 *                     "refuse": tests, "message": P}, ...]
 * call, notify, cancel, reply, reply_error, partial, event, end, subscribe M;
 *                     without reply, an answer is a partial and an end; without
 *                     subscribe or event: as call, as notify
 * heartbeat           {"every_ms": n, "call": method} or {.., "send": M}
 * rules               [{"when": tests, "is": kind, "id": P, "name": P,
 *                     "value": P, "code": P, "message": P, "data": P,
 *                     "session": {var: P}, "traceparent": P, "reply": M},
 *                     ...], the first that fits counts
 * batches             true: an array of messages is each of them
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
 * it's written "$name?"). "$merge": "$params" makes the members of params
 * members of its object. "$$x" is the text "$x". P: JSON Pointer; tokens of
 * digits are elements. tests: {P: value}: the same text, integer or null; true
 * and false for present and absent; {"suffix": text}, {"prefix": text},
 * {"type": "string"} or a list of types, {"is": true}. kind: ok, error (without
 * an id, or with null: about no request in particular), partial, end (no more
 * partial answers, and no value), event, call, cancel (of a call, by its id),
 * control ("reply" is sent at once; in it,
 * "$id" and "$value" are the rule's), ignore. "named": text instead of "name":
 * the message has no name. What is picked must be there, but for "var?".
 * At most 62 places, 64 pieces of a message, 16 levels.
 * A server needs reply (or partial and end), reply_error, event, and a rule for
 * call.
 *
 * Borrows description. Returns new, release it with uvow_protocol_unref; NULL:
 * and writes a new error to ret_error (may be NULL): UVOW_EPROTOCOL: line,
 * column, what can't work and why; UVOW_ENOMEM. Any thread. Since 0.2.
 */
UVOW_API uvow_protocol_t *uvow_protocol_parse(const char *description,
                                              size_t len,
                                              uvow_error_t **ret_error);
/** One more owner. Accepts NULL. Returns its argument. Any thread. Since 0.2.
 */
UVOW_API uvow_protocol_t *uvow_protocol_ref(uvow_protocol_t *protocol);
/** One owner less; nothing for a built-in one. Accepts NULL. Any thread. Since
 * 0.2. */
UVOW_API void uvow_protocol_unref(uvow_protocol_t *protocol);

#ifdef __cplusplus
}
#endif

#endif
