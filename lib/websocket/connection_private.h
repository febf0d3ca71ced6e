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
  DONE
} state_t;

struct uvow__connection {
  uvow_loop_t *loop;
  const uvow__connection_callbacks_t *callbacks; /* NULL: nobody to tell */
  void *ctx;
  uvow__stream_t *stream;
  state_t state;
  int is_server;
  int framing;           /* the framer is there */
  int peer_closed;       /* its close frame came */
  int close_code;        /* of the peer, or ours if it had none to say */
  uvow_error_t *goodbye; /* what the peer said of its close; or NULL */
  uint64_t close_ms;
  uvow__http_t http;
  int (*on_request)(void *ctx, uvow__http_t *http);
  uvow__body_t body; /* of a refusal */
  uvow__buf_t early; /* what came while AWAITING */
  char key[UVOW__HANDSHAKE_KEY + 1];
  const char *const *subprotocols;
  size_t subprotocol_count;
  size_t max_message;
  uvow__deflate_config_t terms; /* wanted; once it's open, agreed on */
  uvow__deflate_t deflate;
  uvow__framer_t framer;
  uvow__buf_t out;
  uvow__task_t flush;
  uvow__deadline_t deadline; /* to open, or to close */
  size_t writing;            /* bytes that the stream has yet to write */
  uvow__silence_t silence;
};

static inline const uvow__mem_t *
uvow__connection_mem(const uvow__connection_t *c) {
  return uvow__loop_mem(c->loop);
}

/* connection.c: it ends. finish takes the error. */
void uvow__connection_finish(uvow__connection_t *c, uvow_error_t *error);
void uvow__connection_fail(uvow__connection_t *c, int code, int status,
                           const char *detail, const uvow_error_t *cause);
/* The handshake is done: on_open. */
void uvow__connection_opened(uvow__connection_t *c);
/* Frames came. */
void uvow__connection_feed(uvow__connection_t *c, const uint8_t *bytes,
                           size_t len);
/* Writes what there is: when the turn ends, or at once, as what nobody waits
 * for. */
void uvow__connection_write_late(uvow__connection_t *c);
void uvow__connection_write_last(uvow__connection_t *c);

/* opening.c: a client's request, into `out`. Errors of the handshake. */
int uvow__opening_request(uvow__connection_t *c,
                          const uvow__connection_config_t *config);
/* Bytes of a handshake; what isn't used of them are frames. */
size_t uvow__opening_read(uvow__connection_t *c, const uint8_t *bytes,
                          size_t len);
/* It's over without one that was accepted: what the server said of it. */
void uvow__opening_report(uvow__connection_t *c);

#endif
