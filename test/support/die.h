#ifndef UVOW_TEST_DIE_H
#define UVOW_TEST_DIE_H

#include <stddef.h>

/* Acts in a child, which ends then; `ret_text` is what it said on stderr.
 * Returns its signal; 0: it came to the end; below: it failed. */
int die_of(void (*act)(void), char *ret_text, size_t size);

#endif
