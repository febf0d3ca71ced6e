#ifndef UVOW_TEST_FAULTS_H
#define UVOW_TEST_FAULTS_H

#include <uv.h>

#include "support.h"

/*
 * Calls of libuv's and OpenSSL's that fail when told to, as an allocator does:
 * what the system can refuse, but a test can't make it refuse. The linker puts
 * them in the place of the libraries' own (--wrap), for the calls of uvow and of
 * the test.
 *
 * A function that has a descriptor is called with none, so its request ends as
 * one that fails later does, by UV_EBADF; one that has a path, and all others,
 * fail on the spot. OpenSSL's and the system's fail as their functions do: NULL,
 * or no success.
 */

/* Of the calls of this function (NULL: of all of libuv's that can fail), so many fail
 * with the code, from the at-th on. UV_EAGAIN: only those fail that try to write
 * at once. */
void faults_begin(const char *function, int code, size_t at, size_t count);
/* None fails any more. Returns how many have. */
size_t faults_end(void);

/* Runs `body` with the 1st, 2nd, 3rd ... call failing, alone and with all behind
 * it (but under valgrind), until a run has none that fails. No descriptor stays
 * open. */
void faults_sweep(int code, void (*body)(void *data), void *data);

/* Open descriptors of this process. */
int faults_descriptors(void);

#endif
