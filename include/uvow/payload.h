#ifndef UVOW_PAYLOAD_H
#define UVOW_PAYLOAD_H

/**
 * @file payload.h
 * Payloads: the JSON text of a result, of parameters, of an event. Bytes first;
 * parsed by jansson only when someone asks for json_t.
 *
 * To use json_t, include <jansson.h> and link with jansson.
 */

#include "future.h"

#ifdef __cplusplus
extern "C" {
#endif

struct json_t; /* of <jansson.h> */

/** JSON text, and its json_t once someone asked. Belongs to a future, a call.
 */
typedef struct uvow_payload uvow_payload_t;

/** A uvow_payload_t: what a request is fulfilled with. */
extern UVOW_API const uvow_type_t uvow_type_payload;
/** A json_t, counted. */
extern UVOW_API const uvow_type_t uvow_type_json;

/**
 * The text, not NUL-terminated; NULL and 0: the peer sent none.
 *
 * Returns borrowed (valid as long as the payload). Accepts NULL. Since 0.1.
 */
UVOW_API const char *uvow_payload_bytes(const uvow_payload_t *payload,
                                        size_t *ret_len);
/**
 * The text as json_t, parsed at the first call.
 *
 * Writes borrowed json (valid as long as the payload; json_incref keeps it).
 * json_t can't hold all of JSON: integers beyond 64 bits with a sign, numbers
 * beyond a double, halves of surrogate pairs, keys with a NUL character, more
 * than 2048 levels; of two members of one name it has the last one.
 * Errors: UVOW_EPAYLOAD: it isn't JSON, can't be held, or there's none (an
 * error of a request says which, and where); UVOW_ENOMEM; UVOW_EINVAL: NULL.
 * Since 0.1.
 */
UVOW_API int uvow_payload_json(uvow_payload_t *payload,
                               struct json_t **ret_json);

/** The payload in a result: borrowed (for the call), or NULL: it has none. */
UVOW_API uvow_payload_t *uvow_result_payload(const uvow_result_t *result);
/** Its text: borrowed (for the call), or NULL. */
UVOW_API const char *uvow_result_bytes(const uvow_result_t *result,
                                       size_t *ret_len);
/**
 * A result as json_t: of a payload or of a value of uvow_type_json.
 *
 * Returns borrowed (for the call; json_incref keeps it), or NULL: there's an
 * error, another type, or a text that isn't JSON (which a request made with
 * json_t parameters never brings: it rejects with UVOW_EPAYLOAD).
 */
UVOW_API struct json_t *uvow_result_json(const uvow_result_t *result);

/** A value of uvow_type_json. Takes the json; NULL gives no value. */
UVOW_API uvow_value_t uvow_value_json(struct json_t *json);
/**
 * A payload of a copy of this JSON text, which isn't checked here.
 * Returns an owned value; no memory: no value. Since 0.1.
 */
UVOW_API uvow_value_t uvow_value_bytes(uvow_loop_t *loop, const char *text,
                                       size_t len);

/** Fulfills with json. Takes it; NULL rejects with UVOW_EPAYLOAD. */
UVOW_API uvow_next_t uvow_next_json(struct json_t *json);
/** Fulfills with a payload of a copy of JSON text. No memory: rejects. */
UVOW_API uvow_next_t uvow_next_bytes(uvow_loop_t *loop, const char *text,
                                     size_t len);

#ifdef __cplusplus
}
#endif

#endif
