#ifndef UVOW__APART_H
#define UVOW__APART_H

/* What is called where speed matters, but seldom: link-time optimisation leaves
 * it a function of its own. Inlined, it would make its callers save registers
 * on every call. */
#if defined(__GNUC__)
#define UVOW__APART __attribute__((noinline))
#else
#define UVOW__APART
#endif

#endif
