#ifndef UVOW_VALUE_H
#define UVOW_VALUE_H

/**
 * @file value.h
 * Values: what a future is fulfilled with. A type and 8 bytes.
 *
 * A value that the library owns is destroyed later, from the loop's task queue,
 * if its type is yours; uvow_value_clear of one that you own destroys it before
 * it returns.
 */

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * What a value's pointer is. Compared by address: one static object a type.
 *
 * A type without `destroy` is borrowed: nothing is released. A type with
 * `destroy` and without `ref` has one owner: uvow shares it by keeping the
 * future that holds it.
 */
typedef struct uvow_type {
  /** Required. sizeof(uvow_type_t). */
  size_t size;
  /** Required. For messages to people. */
  const char *name;
  /** Optional. One more owner of ptr. */
  void (*ref)(void *ptr);
  /** Optional. One owner of ptr less. */
  void (*destroy)(void *ptr);
} uvow_type_t;

/** A typed slot of 16 bytes. type NULL: no value. */
typedef struct uvow_value {
  const uvow_type_t *type;
  union {
    void *ptr;
    int64_t i64;
    double f64;
  } as;
} uvow_value_t;

/** An int64_t in the slot itself. */
extern UVOW_API const uvow_type_t uvow_type_int64;
/** A double in the slot itself. */
extern UVOW_API const uvow_type_t uvow_type_double;
/** Static text, NUL-terminated. */
extern UVOW_API const uvow_type_t uvow_type_text;
/** JSON text that outlives the value, NUL-terminated. */
extern UVOW_API const uvow_type_t uvow_type_raw;
/** JSON text as a uvow_slice_t that outlives the value. */
extern UVOW_API const uvow_type_t uvow_type_slice;
/** Bytes of the library's (see json.h): an answer, a message, a line, a file.
 * Immutable. Ask with uvow_value_get_ptr; what the pointer points to is uvow's
 * own. */
extern UVOW_API const uvow_type_t uvow_type_bytes;

/** Why something failed. Immutable and counted. See error.h. */
typedef struct uvow_error uvow_error_t;

/** No value, as JavaScript's undefined. */
static inline uvow_value_t uvow_value_none(void) {
  uvow_value_t v;
  v.type = NULL;
  v.as.i64 = 0;
  return v;
}

/** An integer. */
static inline uvow_value_t uvow_value_int64(int64_t i64) {
  uvow_value_t v;
  v.type = &uvow_type_int64;
  v.as.i64 = i64;
  return v;
}

/** A double. */
static inline uvow_value_t uvow_value_double(double f64) {
  uvow_value_t v;
  v.type = &uvow_type_double;
  v.as.f64 = f64;
  return v;
}

/** Text that outlives the value; borrowed. */
static inline uvow_value_t uvow_value_text(const char *text) {
  uvow_value_t v;
  v.type = &uvow_type_text;
  v.as.ptr = (void *)(uintptr_t)text;
  return v;
}

/** JSON text as it stands, as "[1,2]"; borrowed for as long as the value is.
 * For what is sent: params, answers, messages. */
static inline uvow_value_t uvow_value_raw(const char *json) {
  uvow_value_t v;
  v.type = &uvow_type_raw;
  v.as.ptr = (void *)(uintptr_t)json;
  return v;
}

/** JSON text with a length. The slice and its bytes are borrowed for as long as
 * the value is: a request, notification or push has read it when it returns. */
static inline uvow_value_t uvow_value_slice(const uvow_slice_t *json) {
  uvow_value_t v;
  v.type = &uvow_type_slice;
  v.as.ptr = (void *)(uintptr_t)json;
  return v;
}

/** A pointer of a type of yours; the value owns what the type says. */
static inline uvow_value_t uvow_value_ptr(const uvow_type_t *type, void *ptr) {
  uvow_value_t v;
  v.type = type;
  v.as.ptr = ptr;
  return v;
}

/**
 * Reads an integer. Errors: UVOW_ETYPE: it is none (ret is untouched). Any
 * thread that may look at the value. Since 0.1.
 */
UVOW_API int uvow_value_get_int64(const uvow_value_t *value, int64_t *ret_i64);
/** Reads a double. Errors: UVOW_ETYPE: it is none. */
UVOW_API int uvow_value_get_double(const uvow_value_t *value, double *ret_f64);
/** Reads text. Errors: UVOW_ETYPE: it is none. Borrowed. */
UVOW_API int uvow_value_get_text(const uvow_value_t *value,
                                 const char **ret_text);
/** Reads a pointer. Errors: UVOW_ETYPE: the type is another. Borrowed. */
UVOW_API int uvow_value_get_ptr(const uvow_value_t *value,
                                const uvow_type_t *type, void **ret_ptr);
/** The type's name, "none" for no value. Borrowed. */
UVOW_API const char *uvow_value_type_name(const uvow_value_t *value);
/**
 * Releases what the value owns and makes it no value. For values you own: those
 * of uvow_result_keep. Loop thread. Since 0.1.
 */
UVOW_API void uvow_value_clear(uvow_value_t *value);

#ifdef __cplusplus
}
#endif

#endif
