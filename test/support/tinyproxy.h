#ifndef UVOW_TEST_TINYPROXY_H
#define UVOW_TEST_TINYPROXY_H

#include "interop.h"

/* Starts tinyproxy as the program of `it`, with more lines in its
 * configuration: it connects to these two ports of 127.0.0.1 (0: none). Skips
 * the test without it. Returns the port that it listens on. */
int tinyproxy_run(interop_t *it, const unsigned ports[2], const char *more);

#endif
