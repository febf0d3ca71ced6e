#ifndef UVOW_TEST_FRONT_H
#define UVOW_TEST_FRONT_H

#include "folder.h"
#include "interop.h"

/*
 * nginx or haproxy as a reverse proxy in front of a port of 127.0.0.1.
 *
 * It's one process in the foreground, a child, with all its files in a folder
 * of the test's own, on a port that the system chose.
 */
typedef struct front_program {
  const char *path;
  int is_nginx;
  int gone; /* the status when nobody is behind it */
} front_program_t;

extern const front_program_t front_nginx;
extern const front_program_t front_haproxy;

typedef struct front_options {
  const front_program_t *program;
  unsigned backend;    /* its port */
  const char *pem;     /* TLS in front: a certificate and its key, or NULL */
  const char *ca_pem;  /* TLS behind: trusts this, or NULL */
  unsigned silence_ms; /* how long the backend may say nothing; 0: for long */
  int howto; /* 1: as docs/howto/behind-a-proxy.md has it, and nothing else */
} front_options_t;

typedef struct front {
  folder_t folder;
  unsigned port;
} front_t;

/* Starts it as the program of `it`; skips the test without it. */
void front_run(front_t *front, interop_t *it, const front_options_t *options);
/* Removes its files. The program ends with `it`. */
void front_done(front_t *front);

#endif
