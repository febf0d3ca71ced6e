#ifndef UVOW__WEBSOCKET_CONFIG_H
#define UVOW__WEBSOCKET_CONFIG_H

#include <uvow/websocket.h>

#include "net/loop.h"
#include "proxy.h"
#include "wire/deflate.h"

/* Bytes that several connections may hold, together: messages that aren't whole
 * yet, what is unsent, and whatever else their owners count. */
typedef struct uvow__quota {
  size_t used;
  size_t max; /* 0: it isn't counted */
} uvow__quota_t;

/* Texts that were copied. */
typedef struct uvow__texts {
  char **at;
  size_t count;
} uvow__texts_t;

/* Of who connects. */
typedef struct uvow__connect_config {
  uvow__proxies_t *proxies; /* NULL: none was named */
  char *bearer;             /* NULL: none */
  char *origin;             /* NULL: none */
} uvow__connect_config_t;

/* Of who listens. */
typedef struct uvow__listen_config {
  uvow__texts_t origins; /* welcome beside the one of the Host */
  uvow__texts_t hosts;   /* none: any, or those of a loopback address */
  int is_loopback;
  size_t max_peers;
  size_t max_peers_per_address;
  uint64_t idle_ms; /* 0: never */
} uvow__listen_config_t;

/*
 * uvow_websocket_options_t or uvow_listener_options_t: checked and copied once,
 * with the defaults filled in, and read here by whatever does what an option
 * says. Counted: who connects or listens has it, and each of its connections.
 * It doesn't change, but for what is counted. Times are in ms, 0: never.
 */
typedef struct uvow__ws_config {
  uvow_loop_t *loop;
  size_t refs;
  uvow_tls_t *tls; /* NULL: for wss the loop's default, or no wss */
  uvow__texts_t subprotocols;
  int must_agree; /* on one of them, or there's no connection */
  unsigned keepalive_s;
  size_t max_message;
  size_t max_unsent;
  uvow__deflate_config_t deflate;
  uint64_t open_ms; /* for connecting and the handshake */
  uint64_t close_ms;
  uint64_t ping_ms;
  uint64_t dead_ms;
  uint64_t message_ms; /* and a second more for each 64 KiB of it */
  uvow__quota_t quota;
  uvow__connect_config_t connect;
  uvow__listen_config_t *listen; /* behind it; NULL: of who connects */
} uvow__ws_config_t;

/* Borrow all. NULL: all defaults. Return new in ret_config. URL and headers are
 * a target's, see target.h. Errors: UVOW_EINVAL, UVOW_ENOMEM; libuv's, of the
 * environment. */
int uvow__ws_config_connect(uvow_loop_t *loop,
                            const uvow_websocket_options_t *options,
                            uvow__ws_config_t **ret_config);
/* The same for who listens: where is no part of it. */
int uvow__ws_config_listen(uvow_loop_t *loop,
                           const uvow_listener_options_t *options,
                           uvow__ws_config_t **ret_config);
uvow__ws_config_t *uvow__ws_config_ref(uvow__ws_config_t *config);
/* Accepts NULL. */
void uvow__ws_config_unref(uvow__ws_config_t *config);

/* Adds a copy of one. UVOW_ENOMEM. */
int uvow__texts_add(uvow__texts_t *texts, const uvow__mem_t *mem,
                    const char *text);
/* Whether one of them is this text, without case, or "*". */
int uvow__texts_have(const uvow__texts_t *texts, uvow__slice_t text);

#endif
