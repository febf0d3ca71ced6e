#ifndef UVOW_BASE_H
#define UVOW_BASE_H

/**
 * @file base.h
 * Version, visibility, the allocator and the names that all headers share.
 */

#include <stddef.h>
#include <stdint.h>

#define UVOW_VERSION_MAJOR 0
#define UVOW_VERSION_MINOR 1
#define UVOW_VERSION_PATCH 0
#define UVOW_VERSION_STRING "0.1.0"
/** The ABI's number: libuvow.so.N. Raised when a program must be rebuilt. */
#define UVOW_ABI 0

#if defined(_WIN32) && defined(UVOW_BUILD)
#define UVOW_API __declspec(dllexport)
#elif defined(__GNUC__) || defined(__clang__)
#define UVOW_API __attribute__((visibility("default")))
#else
#define UVOW_API
#endif

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

/** Releases what a callback's data points to. Runs exactly once. */
typedef void (*uvow_destroy_cb)(void *data);

/**
 * The allocator of a loop: three functions with the meaning of malloc,
 * realloc and free, and a pointer they are given.
 *
 * Each may be called on the loop's thread only. A NULL answer is an error that
 * uvow passes on as UVOW_ENOMEM; nothing aborts. wslay, jansson and libuv keep
 * their own allocators.
 */
typedef struct uvow_allocator {
  void *(*malloc_cb)(size_t size, void *data);
  void *(*realloc_cb)(void *ptr, size_t size, void *data);
  void (*free_cb)(void *ptr, void *data);
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

#ifdef __cplusplus
}
#endif

#endif
