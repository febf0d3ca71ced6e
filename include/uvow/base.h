#ifndef UVOW_BASE_H
#define UVOW_BASE_H

/**
 * @file base.h
 * Version, visibility, the allocator, and how option structs are filled in.
 *
 * Told later, from a loop's task queue: destructors. An allocator is asked on the
 * spot, and may not call uvow: a debug build aborts, and says so.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** The version of these headers; see uvow_version. */
#define UVOW_VERSION_MAJOR 0
/** Raised with features. */
#define UVOW_VERSION_MINOR 2
/** Raised with corrections. */
#define UVOW_VERSION_PATCH 0
/** "MAJOR.MINOR.PATCH". */
#define UVOW_VERSION_STRING "0.2.0"
/** The ABI's number: libuvow.so.N. Raised when a program must be rebuilt. */
#define UVOW_ABI 1

#if defined(_WIN32) && defined(UVOW_BUILD)
#define UVOW_API __declspec(dllexport)
#elif defined(__GNUC__) || defined(__clang__)
/** Marks what the libraries export. */
#define UVOW_API __attribute__((visibility("default")))
#else
#define UVOW_API
#endif

/** A function whose result must be used: what it returns is yours. */
#if defined(__GNUC__) || defined(__clang__)
#define UVOW_NEW UVOW_API __attribute__((warn_unused_result))
#else
#define UVOW_NEW UVOW_API
#endif

/** A function that writes JSON by a format (see json.h). */
#define UVOW_FORMATTED UVOW_NEW

#ifdef __cplusplus
extern "C" {
#endif

/** uvow's side of one uv_loop_t. Everything else belongs to one. */
typedef struct uvow_loop uvow_loop_t;

/** Bytes that belong to someone else; no NUL ends them. Passed by value: its
 * layout never changes. */
typedef struct uvow_slice {
  const char *bytes;
  size_t len;
} uvow_slice_t;

/** Releases what a callback's data points to. Runs exactly once: later, from the
 * loop's task queue, where data was given to the library; within the call where
 * that says so. May call everything. */
typedef void (*uvow_destroy_cb)(void *data);

/**
 * The allocator of a loop: three functions with the meaning of malloc,
 * realloc and free, and a pointer they are given.
 *
 * uvow calls each on the loop's thread; only where another thread has a promise
 * or a handle of thread.h, also on that one, so that it must allow that then. A
 * NULL answer is an error that uvow passes on as UVOW_ENOMEM; nothing aborts.
 * wslay, jansson and libuv keep their own allocators.
 */
typedef struct uvow_allocator {
  /** Required. sizeof(uvow_allocator_t). */
  size_t size;
  /** Required. As malloc. */
  void *(*malloc_cb)(size_t size, void *data);
  /** Required. As realloc. */
  void *(*realloc_cb)(void *ptr, size_t size, void *data);
  /** Required. As free. */
  void (*free_cb)(void *ptr, void *data);
  /** Optional. What they are given. */
  void *data;
} uvow_allocator_t;

/** In options that are times in ms: never, or no limit. Since 0.1. */
#define UVOW_NO_TIMEOUT UINT32_MAX

/**
 * The version of the library that is loaded, as "MAJOR.MINOR.PATCH".
 *
 * Returns borrowed text (valid for ever). Any thread. Since 0.1.
 */
UVOW_API const char *uvow_version(void);

/*
 * Options. Every struct of options begins with its size, by which the library
 * knows what the program was built with: a shorter one is read as far as it
 * goes, a longer one is accepted if what the library doesn't know is zero, else
 * UVOW_EINVAL. A member that is zero is the default. A NULL pointer to options:
 * all defaults.
 */

/** Sets a struct to all defaults: UVOW_INIT(&options). C and C++. */
#define UVOW_INIT(ptr) uvow_init((ptr), sizeof *(ptr))

/** What UVOW_INIT calls. Borrows. Since 0.2. */
static inline void uvow_init(void *ptr, size_t size) {
  memset(ptr, 0, size);
  memcpy(ptr, &size, sizeof size);
}

#ifndef __cplusplus
/** Options in place: UVOW_WITH(retry, .max_attempts = 5) is a pointer to a
 * uvow_retry_options_t that lives as long as the block it is written in. C
 * only; C++ has UVOW_INIT. */
#define UVOW_WITH(noun, ...)                                                   \
  (&(uvow_##noun##_options_t){.size = sizeof(uvow_##noun##_options_t),         \
                              __VA_ARGS__})
/** The same with all defaults, where NULL would mean "none". */
#define UVOW_DEFAULTS(noun)                                                    \
  (&(uvow_##noun##_options_t){.size = sizeof(uvow_##noun##_options_t)})
#endif

#ifdef __cplusplus
}
#endif

#endif
