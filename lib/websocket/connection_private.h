#ifndef UVOW__CONNECTION_PRIVATE_H
#define UVOW__CONNECTION_PRIVATE_H

#include "connection.h"
#include "silence.h"
#include "wire/body.h"

/* What connection.c and opening.c share. */

typedef enum state {
  CONNECTING,
  HANDSHAKE,
  AWAITING,
  REFUSED,
  OPEN,
  CLOSING,
  LEAVING,
  DONE
} state_t;

/* Of intake.c. */
typedef struct uvow__intake {
  unsigned pauses; /* UVOW__PAUSE_* */
  int io_paused;   /* as the io was told */
  int io_ended;    /* what was kept comes first */
  uvow_error_t *io_error;
  uvow__buf_t kept; /* read, and not fed yet */
  uvow__task_t go_on;
  uvow__deadline_t slow;
  uint64_t slow_since_ms;    /* when the message began; 0: none has */
  uint64_t resting_since_ms; /* since when it doesn't read; 0: it does */
  size_t slow_bytes;         /* that came of it, at most */
  size_t slow_after;         /* so many others */
} uvow__intake_t;

/* What only a handshake needs. */
typedef struct uvow__ws_opening {
  uvow__http_t http;
  uvow__body_t body; /* of a refusal */
  uvow__buf_t early; /* what came while AWAITING */
  char key[UVOW__HANDSHAKE_KEY + 1];
} uvow__ws_opening_t;

struct uvow__connection {
  uvow_loop_t *loop;
  uvow__ws_config_t *config;
  const uvow__connection_callbacks_t *callbacks; /* NULL: nobody to tell */
  void *ctx;
  uvow__io_t *io;
  state_t state;
  int is_server;
  int framing;                  /* the framer is there */
  int peer_closed;              /* its close frame came */
  int close_held;               /* and isn't answered yet */
  int close_code;               /* of the peer, or ours if it had none to say */
  uvow_error_t *goodbye;        /* what the peer said of its close; or NULL */
  uvow__ws_opening_t *opening;  /* until it's open; then NULL */
  uvow__deflate_config_t terms; /* wanted; once it's open, agreed on */
  uvow__deflate_t deflate;
  uvow__framer_t framer;
  uvow__intake_t intake;
  uvow__buf_t out;
  uvow__task_t flush;
  uvow__deadline_t deadline; /* to open, or to close */
  size_t writing;            /* bytes that the io has yet to write */
  uvow__silence_t silence;
  unsigned drains; /* how often all that was written has left */
  unsigned seen_drains;
  size_t seen_unsent;        /* of the io, when it was last looked at */
  size_t counted;            /* against the config's quota */
  uvow__lingerer_t lingerer; /* LEAVING */
  int pong_len;              /* of one that waits for room; -1: none does */
  uint8_t *pong; /* NULL: none has waited yet; UVOW__CONTROL_MAX bytes */
};

static inline const uvow__mem_t *
uvow__connection_mem(const uvow__connection_t *c) {
  return uvow__loop_mem(c->loop);
}

/* connection.c: it ends. It takes the error. */
void uvow__connection_ended(uvow__connection_t *c, uvow_error_t *error);
void uvow__connection_fail(uvow__connection_t *c, int code, int status,
                           const char *detail, const uvow_error_t *cause);
/* The handshake is done: on_open. */
void uvow__connection_opened(uvow__connection_t *c);
/* The io has ended, and all that came was read. Takes the error; NULL: in
 * order. */
void uvow__connection_io_ended(uvow__connection_t *c, uvow_error_t *error);
/* A pong that waited goes into `out`. */
void uvow__connection_put_pong(uvow__connection_t *c);
/* Another deadline; 0: none. */
void uvow__connection_limit(uvow__connection_t *c, uint64_t ms);
/* leaving.c. A close frame, the last that is sent: it has room however much
 * waits before it. UVOW_ENOMEM, and what the random numbers fail with. */
int uvow__connection_put_close(uvow__connection_t *c, int code,
                               const char *reason);
/* The lingerer's. */
void uvow__connection_leave_stopped(uvow__lingerer_t *lingerer);
/* outflow.c. Whether the peer has read of what was written since the last call.
 */
int uvow__outflow_moved(uvow__connection_t *c);
/* What it holds has changed. */
void uvow__connection_count(uvow__connection_t *c);
/* Writes what there is: when the turn ends, or at once, as what nobody waits
 * for. */
void uvow__connection_write_late(uvow__connection_t *c);
void uvow__connection_write_last(uvow__connection_t *c);

/* opening.c: what it needs. UVOW_ENOMEM. */
int uvow__ws_opening_init(uvow__connection_t *c, uvow__http_role_t role);
/* It's over. Again: nothing. */
void uvow__ws_opening_done(uvow__connection_t *c);
/* A client's request, into `out`. Errors of the handshake. */
int uvow__opening_request(uvow__connection_t *c, const uvow__target_t *target);
/* Bytes of a handshake; what isn't used of them are frames. */
size_t uvow__opening_read(uvow__connection_t *c, const uint8_t *bytes,
                          size_t len);
/* It's over without one that was accepted: what the server said of it. */
void uvow__opening_report(uvow__connection_t *c);

#endif
