#ifndef UVOW__APART_H
#define UVOW__APART_H

/* What is called where speed matters, but seldom: link-time optimisation leaves
 * it a function of its own. Inlined, it would make its callers save registers
 * on every call. */
#if defined(__GNUC__)
#define UVOW__APART __attribute__((noinline))
/* Small, and called where speed matters from several places: a part of each. */
#define UVOW__WITHIN static inline __attribute__((always_inline))
/* What lies there is needed soon: the processor may begin to fetch it. */
#define UVOW__SOON(ptr) __builtin_prefetch(ptr)
#else
#define UVOW__APART
#define UVOW__WITHIN static inline
#define UVOW__SOON(ptr) ((void)(ptr))
#endif

#endif
