#ifndef UVOW__SWITCH_H
#define UVOW__SWITCH_H

#include <stddef.h>

/*
 * Which switch the library is built with: see -Dfibers. fcontext is the C part
 * of Boost.Context (7 ns a switch); ucontext is POSIX's (280 ns: it asks the
 * kernel for the signal mask).
 */
#if defined(UVOW_FIBERS_FCONTEXT)
#define UVOW__FIBERS 1
#elif defined(UVOW_FIBERS_UCONTEXT)
#define UVOW__FIBERS 1
#include <ucontext.h>
#else
#define UVOW__FIBERS 0
#endif

#if defined(__SANITIZE_ADDRESS__)
#define UVOW__SWITCH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UVOW__SWITCH_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define UVOW__SWITCH_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UVOW__SWITCH_TSAN 1
#endif
#endif

/* A stack that isn't the loop's, and where each of the two stands. */
typedef struct uvow__switch {
  void (*entry)(void *data); /* ends with uvow__switch_end */
  void *data;
  char *low;
  size_t size;
#ifdef UVOW_FIBERS_UCONTEXT
  ucontext_t inside;
  ucontext_t outside;
#else
  void *other; /* where the one that doesn't run stands */
#endif
#ifdef UVOW__SWITCH_ASAN
  void *fake; /* its fake stack, while it doesn't run */
  const void *outside_low;
  size_t outside_size;
#endif
#ifdef UVOW__SWITCH_TSAN
  void *inside_tsan;
  void *outside_tsan;
#endif
} uvow__switch_t;

/* Makes a stack ready; entry, data, low and size are set. Nothing runs yet. */
void uvow__switch_init(uvow__switch_t *sw);
/* From outside: runs it, from its entry or its last uvow__switch_out on, until
 * it leaves. */
void uvow__switch_in(uvow__switch_t *sw);
/* From inside: leaves. Returns when it's run again. */
void uvow__switch_out(uvow__switch_t *sw);
/* From inside: leaves for ever. Doesn't return. */
void uvow__switch_end(uvow__switch_t *sw);
/* From outside, after its end. */
void uvow__switch_done(uvow__switch_t *sw);

#endif
