#ifndef UVOW_TEST_LOAD_H
#define UVOW_TEST_LOAD_H

#include <stddef.h>
#include <stdint.h>

#include <uv.h>
#include <uvow.h>

/* What the user asked for. */
typedef struct load_options {
  size_t in_flight;   /* requests on one connection */
  size_t connections; /* on one loop */
  size_t cuts;        /* connections that are cut */
  uint64_t seed;
} load_options_t;

/* An allocator that counts bytes, as they were asked for. */
typedef struct load_memory {
  uvow_allocator_t allocator;
  size_t blocks;
  size_t bytes;
  size_t peak; /* the most bytes that were out since it was last set */
} load_memory_t;

void load_memory_init(load_memory_t *memory);

/* A loop with counted memory. Ends the program if there's none. */
typedef struct load_app {
  uv_loop_t uv;
  uvow_loop_t *loop;
  load_memory_t memory;
  uint64_t wrong; /* what went wrong, counted */
} load_app_t;

void load_app_init(load_app_t *app);
/* Closes the loop; whatever is left of memory or handles counts as wrong. */
void load_app_done(load_app_t *app);
/* Runs the loop until *flag; counts as wrong what keeps it from that. */
void load_run_until(load_app_t *app, const int *flag);
uint64_t load_ms(uint64_t since_ns);

/*
 * A server in a process of its own. Its methods:
 *
 * echo     answers with the params
 * hold     is answered when release comes
 * held     how many are held
 * release  answers all that are held
 * memory   bytes that its loop has allocated
 */
typedef struct load_peer {
  int pid;
  unsigned port;
} load_peer_t;

void load_peer_start(load_peer_t *peer);
void load_peer_stop(load_peer_t *peer);
/* How many files a process may have open, raised as far as it goes. */
size_t load_raise_files(void);

/* TAP. A case is ok if nothing went wrong. */
void load_say(const char *format, ...);
void load_case(const char *name, uint64_t wrong);
void load_skip(const char *name, const char *why);
/* Ends the program, if rc isn't 0. */
void load_must(int rc, const char *what);

void load_flight(const load_options_t *options);
void load_crowd(const load_options_t *options);
void load_cuts(const load_options_t *options);

#endif
