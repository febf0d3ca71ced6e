#ifndef UVOW_JSON_H
#define UVOW_JSON_H

/**
 * @file json.h
 * JSON in and out: fields by JSON Pointer (RFC 6901) out of the bytes, text by
 * a format into what is sent, and json_t for who wants trees.
 *
 * In: an answer, an event, an item, the params of a call come as a
 * uvow_result_t that holds bytes. No tree is made unless uvow_result_json is
 * called. "" is the whole, "/a/0" the first item of a; in a name ~0 is "~", ~1
 * is "/". Of members with the same name the last one counts, as in json_t.
 *
 * Out: whatever is sent is a uvow_value_t: none, int64, double, text (a JSON
 * string), raw or slice (JSON text), bytes (JSON text), json.
 *
 * Told later: nothing. All of it answers on the spot.
 *
 * The bytes are checked once, by the first getter: a text of any size and up to
 * 2048 levels of arrays and objects, in UTF-8. What json_t can't hold is JSON
 * too.
 *
 * Everything here is for the loop's thread. To use json_t, include <jansson.h>
 * and link with jansson.
 */

#include "future.h"

#ifdef __cplusplus
extern "C" {
#endif

struct json_t; /* of <jansson.h> */

/** A json_t, counted. */
extern UVOW_API const uvow_type_t uvow_type_json;

/* In. Each borrows the result. Errors of all getters: UVOW_EPAYLOAD: the bytes
 * aren't JSON; UVOW_ETYPE: there's nothing at the pointer, something else is,
 * or the result is an error or holds no bytes; UVOW_EINVAL: no JSON Pointer, or
 * NULL. What ret points to is untouched then, so that it may hold a default. */

/** Whether they came as binary (a WebSocket's opcode 2). Since 0.2. */
UVOW_API int uvow_result_is_binary(const uvow_result_t *result);

/**
 * Reads an integer; also a real without a fraction, as 1.0 or 1e2. Errors: as
 * above; UVOW_ETYPE: out of range, too. Since 0.2.
 */
UVOW_API int uvow_result_get_int64(const uvow_result_t *result,
                                   const char *pointer, int64_t *ret_i64);
/**
 * Reads any number, as the double next to it. Errors: as above; UVOW_ETYPE: out
 * of range, too. Since 0.2.
 */
UVOW_API int uvow_result_get_double(const uvow_result_t *result,
                                    const char *pointer, double *ret_f64);
/** Reads true (1) or false (0). Errors: as above. Since 0.2. */
UVOW_API int uvow_result_get_bool(const uvow_result_t *result,
                                  const char *pointer, int *ret_bool);
/**
 * Reads a string: unescaped, NUL-terminated; half a surrogate pair as U+FFFD.
 * Writes borrowed text (as long as the result). Errors: as above; UVOW_ETYPE:
 * U+0000 is in it, too; UVOW_ENOMEM. Since 0.2.
 */
UVOW_API int uvow_result_get_text(const uvow_result_t *result,
                                  const char *pointer, const char **ret_text);
/**
 * Reads the JSON text of what is there. Writes borrowed bytes (as long as the
 * result). Errors: as above. Since 0.2.
 */
UVOW_API int uvow_result_get_slice(const uvow_result_t *result,
                                   const char *pointer,
                                   uvow_slice_t *ret_slice);
/**
 * Reads a string of base64 (RFC 4648 4, padded) as bytes. Writes an owned value
 * of uvow_type_bytes. Errors: as above; UVOW_ETYPE: it isn't base64, too;
 * UVOW_ENOMEM. Since 0.2.
 */
UVOW_API int uvow_result_get_base64(const uvow_result_t *result,
                                    const char *pointer,
                                    uvow_value_t *ret_bytes);

/**
 * Reads several at once, in one pass, by a format, that of jansson's
 * json_unpack: "{s:s,s?:I}", "name", &name, "age", &age.
 *
 * { } is an object: each key, then its value; s? : the member may be missing. [
 * ] is an array's first items. Values, and what they are written to: s: const
 * char *, i: int, I: int64_t, f (or F): double, b: int, o: uvow_slice_t (JSON
 * text); n: null, written nowhere. Last in { } or [ ], ! says that nothing else
 * may be there. Each is read, and borrowed, as its getter does; json_unpack's f
 * takes reals only, this one any number, and its o is a json_t.
 *
 * What is missing is left untouched; what a failure leaves written is
 * unspecified. Errors: UVOW_EPAYLOAD, UVOW_ETYPE, UVOW_ENOMEM: as above;
 * UVOW_EINVAL: the format is wrong, or has more than 64 values. Since 0.2.
 */
UVOW_API int uvow_result_getf(const uvow_result_t *result, const char *format,
                              ...);

/** Where a walk over an array or object stands. Nothing to release. All members
 * but key are uvow's own. Passed by value: its layout never changes. */
typedef struct uvow_json_walk {
  uvow_slice_t rest;
  uvow_slice_t item;
  /** A member's name, escaped as it stands there, without quotes. */
  uvow_slice_t key;
  void *bytes;
  uvow_loop_t *loop;
} uvow_json_walk_t;

/**
 * Begins a walk over the array or object at the pointer; over nothing if there
 * is none. Borrows the result (as long as the walk goes on). Since 0.2.
 */
UVOW_API uvow_json_walk_t uvow_result_walk(const uvow_result_t *result,
                                           const char *pointer);
/**
 * The next item, for the getters and uvow_result_bytes: borrowed (valid until
 * the next call), while text read from it is valid as long as the result. To
 * keep it longer, copy its bytes: uvow_value_bytes. Returns 1; 0: no more, and
 * ret is untouched. Since 0.2.
 */
UVOW_API int uvow_json_walk_next(uvow_json_walk_t *walk,
                                 uvow_result_t *ret_item);

/**
 * All of it as json_t, parsed at the first call; of a value of uvow_type_json:
 * that.
 *
 * Returns borrowed (as long as the result; json_incref keeps it), or NULL:
 * there's an error, another type, no memory, no JSON, or JSON that json_t can't
 * hold: integers beyond 64 bits with a sign, numbers beyond a double, halves of
 * surrogate pairs, keys with a NUL character, more than 2048 levels. Since 0.1.
 */
UVOW_API struct json_t *uvow_result_json(const uvow_result_t *result);

/* Out. Formats are those of jansson's json_pack, written as text: { } an
 * object: each key, then its value; [ ] an array; s: const char *; s#: the same
 * and its length, an int; s%: and a size_t; i: int; I: int64_t; f: double; b:
 * int, true unless 0; n: null; o: json_t *, taken; O: json_t *, borrowed; r:
 * const char *, JSON text, as it is. A ? behind s, o, O or r: NULL is null;
 * a *: NULL is left out, a member with its key. Types are not checked by any
 * compiler: I with an int is undefined, as in printf. */

/** A value of uvow_type_json. Takes the json; NULL gives no value. One that a
 * result lends, or a part of it, must be kept first (json_incref): a debug build
 * aborts where it isn't, and says so. */
UVOW_NEW uvow_value_t uvow_value_json(struct json_t *json);
/** Bytes, copied: JSON text, which isn't checked here. Returns an owned value of
 * uvow_type_bytes; no memory, or no loop: as uvow_value_jsonf. Since 0.1. */
UVOW_NEW uvow_value_t uvow_value_bytes(uvow_loop_t *loop, const void *bytes,
                                       size_t len);
/**
 * JSON text by a format: uvow_value_jsonf(loop, "{s:i,s:s}", "id", 1, "of", s).
 *
 * Borrows what the format says. Returns an owned value of uvow_type_bytes. If
 * the format is wrong, a text isn't UTF-8 or a number not finite, there's no
 * loop or no memory: no value, and UVOW_EINVAL or UVOW_ENOMEM for who sends it
 * or fulfills with it. Since 0.2.
 */
UVOW_FORMATTED uvow_value_t uvow_value_jsonf(uvow_loop_t *loop,
                                             const char *format, ...);
/** Fulfills with json. Takes it, as uvow_value_json does; NULL rejects with
 * UVOW_EPAYLOAD. */
UVOW_NEW uvow_next_t uvow_next_json(struct json_t *json);
/**
 * Fulfills with JSON text by a format; rejects with UVOW_EINVAL or UVOW_ENOMEM
 * where uvow_value_jsonf has no value. Since 0.2.
 */
UVOW_FORMATTED uvow_next_t uvow_next_jsonf(uvow_loop_t *loop,
                                           const char *format, ...);

#ifdef __cplusplus
}
#endif

#endif
