#ifndef UVOW_COMMAND_CLIENT_H
#define UVOW_COMMAND_CLIENT_H

#include <uv.h>

#include "args.h"
#include "screen.h"

/*
 * A connection of a subcommand's, on a loop of its own:
 *
 *   client_init -> client_connect -> ... -> client_close -> (the loop ends)
 *   client_run: from client_connect on, to the end
 */
typedef struct client client_t;

struct client {
  const args_t *args;
  uv_loop_t uv;
  uvow_loop_t *loop;
  uvow_peer_t *peer;
  screen_t out;
  screen_t err;
  uint64_t started; /* ns */
  uint64_t opened;  /* ns; 0: it isn't open yet */
  int closing;
  int status; /* the exit status, so far */
  /* Of the subcommand; may be NULL. */
  void *data;
  void (*on_state)(client_t *client, const uvow_peer_change_t *change);
  /* 1: it has been shown. */
  int (*on_stray)(client_t *client, uvow_stray_t stray, uvow_slice_t message);
};

/* Makes the loop. Returns 0; or the exit status, once it's said why not. */
int client_init(client_t *client, const args_t *args);
/* Connects; how else than args says: reconnect, methods. The same. */
int client_connect(client_t *client, const uvow_reconnect_options_t *reconnect,
                   uvow_methods_t *methods);
/* SIGINT calls fn, each time. The loop ends all the same. */
void client_on_interrupt(client_t *client, void (*fn)(client_t *client));
/* Closes in order, then ends the loop. Once. */
void client_close(client_t *client);
/* Runs the loop to its end. Returns the status. */
int client_run(client_t *client);

/* "+1.25 ms": since it began. Returns text. */
const char *client_age(const client_t *client, char *text, size_t size);
double client_ms(const client_t *client);

/* event.c: writes an event on stdout. name: NULL: its own, if it has one. */
void event_print(const client_t *client, const uvow_result_t *event,
                 const char *name);

/* -v: who answered the handshake, and what it said. NULL: there's none. */
void verbose_connected(const client_t *client, const char *address,
                       const char *tls, const char *certificate);
void verbose_header(const client_t *client, const char *name,
                    const char *value);
void verbose_subprotocol(const client_t *client, const char *subprotocol);
/* -v: a line about a state, and when. */
void verbose_state(const client_t *client, uvow_peer_state_t state);

/* What -v and --trace write, as trace hooks. Borrowed (valid as client). */
void verbose_trace(const client_t *client, uvow_trace_t *ret);

#endif
