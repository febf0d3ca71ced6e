#ifndef UVOW__TLS_PRIVATE_H
#define UVOW__TLS_PRIVATE_H

/* What the tls*.c files share, and nobody else includes. */

#include "base/error.h"
#include "loop.h"
#include "tls.h"
#include "tls_engine.h"

struct uvow_tls {
  uvow_loop_t *loop;
  unsigned refs;
  int is_server;
  int check_host;
  int resume;
  uvow_tls_version_t min_version;
  uvow__engine_t *engine;
  uvow__list_t sessions; /* of tls_session.c; the newest first */
  size_t session_count;
  char *spare_plain; /* UVOW__READ_SIZE bytes that nobody uses, or NULL */
  uvow__buf_t spare_sealed; /* capacity that nobody uses */
  uvow_tls_stats_t stats;
};

#define UVOW__TLS_FIRST 8 /* bytes of the peer's that tell what it speaks */

typedef enum uvow__tls_state {
  UVOW__TLS_CONNECTING, /* the io below isn't open */
  UVOW__TLS_SHAKING,
  UVOW__TLS_OPEN,
  UVOW__TLS_ENDED, /* on_end was called */
  UVOW__TLS_CLOSED
} uvow__tls_state_t;

typedef struct uvow__tls_io {
  uvow__io_t io; /* first */
  uvow_tls_t *tls;
  uvow__io_t *lower;
  uvow__tls_state_t state;
  int broken;      /* no alert may follow any more */
  int lower_ended; /* nobody is there to read one */
  int delivered;   /* something, since bytes came last */
  uvow__engine_conn_t *conn;
  int paused;
  uvow__task_t go_on; /* reads what was kept while it was paused */
  uvow__buf_t kept; /* that: what came from below, and the engine hasn't read */
  const uint8_t *in; /* what the engine reads: borrowed from below, or `kept` */
  size_t in_len;
  uvow__buf_t plain;     /* what waits for being sealed */
  uvow__buf_t sealed;    /* what goes below next */
  char *host;            /* of the server; NULL: we are one */
  uint16_t port;         /* the same */
  uvow_error_t *refused; /* what is wrong with the peer's certificate */
  size_t first_len;
  uint8_t first[UVOW__TLS_FIRST];
} uvow__tls_io_t;

/* Why the engine's last call failed: tls_error.c. Returns new, never NULL. */
uvow_error_t *uvow__tls_failure(uvow__tls_io_t *io);
/* What the end of the io below means for this one: takes the cause (NULL:
 * in order). Returns new, never NULL. */
uvow_error_t *uvow__tls_cut(uvow__tls_io_t *io, uvow_error_t *cause);

/* Reads what options name into the engine: tls_files.c. Each returns 0, or an
 * error and what is wrong in *ret_error, new. */
int uvow__tls_load_trust(uvow_tls_t *tls, const uvow_tls_options_t *options,
                         uvow_error_t **ret_error);
int uvow__tls_load_identity(uvow_tls_t *tls, const uvow_tls_options_t *options,
                            uvow_error_t **ret_error);
/* Makes that error: "name: what". Returns code. */
int uvow__tls_option_error(uvow_tls_t *tls, int code, const char *name,
                           const char *what, uvow_error_t **ret_error);

/* Sessions of a client, by host and port: tls_session.c. */
void uvow__tls_sessions_done(uvow_tls_t *tls);
/* Lets the io resume a session with its host, if there is one. */
void uvow__tls_session_offer(uvow__tls_io_t *io);

#endif
