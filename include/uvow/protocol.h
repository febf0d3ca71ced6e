#ifndef UVOW_PROTOCOL_H
#define UVOW_PROTOCOL_H

/**
 * @file protocol.h
 * Protocols: what the messages of a WebSocket mean.
 *
 * A protocol says how a request, a reply and an event are written as a message,
 * and what a message is when one comes. It's static data: any number of clients
 * and servers share one, on any thread.
 */

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What messages mean. Static: never freed. */
typedef struct uvow_protocol uvow_protocol_t;

/**
 * JSON-RPC 2.0, one message at a time (no batches).
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
 * The protocol of this name: "jsonrpc2", "callback_id" or "cdp".
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

#ifdef __cplusplus
}
#endif

#endif
