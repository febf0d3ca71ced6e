#ifndef UVOW__SERVER_H
#define UVOW__SERVER_H

#include <uvow/server.h>

#include "websocket/connection.h"
#include "methods.h"
#include "payload.h"
#include "protocol/protocol.h"
#include "wire/traceparent.h"

struct uvow_server {
  uvow__resident_t resident;
  uvow_loop_t *loop;
  const uvow_protocol_t *protocol;
  uvow__listener_t *listener; /* NULL: closed */
  char **subprotocols;
  size_t subprotocol_count;
  char **origins; /* NULL: any */
  size_t origin_count;
  uvow_handshake_cb on_handshake; /* NULL: all are welcome */
  void *handshake_data;
  uvow__connection_config_t config; /* for every peer */
  size_t max_peers;
  size_t max_calls;
  uint16_t port;
  uvow__methods_t methods;
  uvow__list_t peers;
  size_t peer_count;
  uvow__buf_t scratch;   /* the message being written */
  uvow__buf_t result;    /* the JSON text within it */
  uvow__pool_t calls;    /* of uvow_call_t */
  uvow_future_t *closed; /* settled by the server; NULL: nobody asked */
  int closing;
  int busy;  /* users of it that are on the stack, methods among them */
  int freed; /* by one of them: the memory goes when the last returns */
};

/* A connection to the server. */
typedef struct uvow__peer {
  uvow__list_t link;
  uvow_server_t *server;
  uvow__connection_t *connection; /* NULL: gone */
  uvow__task_t doom;        /* drops it, once nothing of it is on the stack */
  uvow__task_t ask;         /* the user, about its handshake */
  uvow__http_t *request;    /* what that is about */
  uvow_handshake_t *asking; /* the user is being asked; NULL: not now */
  uvow__list_t calls;
  size_t call_count;
} uvow__peer_t;

/* What the user sees of a handshake, and says to it. */
struct uvow_handshake {
  uvow__peer_t *peer; /* NULL: it went meanwhile */
  const uvow__mem_t *mem;
  uvow__http_t *request; /* NULL with peer */
  int status;            /* 101, or what to refuse it with */
  char *subprotocol;     /* chosen; NULL: none */
  char *text;            /* of a refusal */
};

#define UVOW__CALL_NAME 64 /* bytes of a method's name that are kept within */
#define UVOW__CALL_ID 32

/* A call, from its message to its answer. */
struct uvow_call {
  uvow__list_t link; /* of its peer's calls */
  uvow__task_t task; /* to run it; then, to answer when `source` is settled */
  uvow__peer_t *peer;
  uvow_loop_t *loop;
  uvow_future_t *source; /* what the method returned, or NULL */
  int ended;             /* its peer went while it was being answered */
  int running;
  char *outside;    /* where name and id are, if they don't fit here */
  const char *name; /* NUL-terminated */
  size_t name_len;
  uvow__slice_t id; /* raw; NULL: a notification */
  uvow_payload_t params;
  char name_room[UVOW__CALL_NAME];
  char id_room[UVOW__CALL_ID];
  char traceparent[UVOW__TRACEPARENT_LEN + 1]; /* "": none */
};

/* server_handshake.c: the connection's on_request, and the task after it. */
int uvow__peer_requested(void *ctx, uvow__http_t *http);
void uvow__peer_ask(uvow__task_t *task);

/* A peer has come: makes it, or refuses it. */
void uvow__peer_accept(uvow_server_t *server, uvow__listener_t *listener);
/* It goes: its calls are given up, its memory too. */
void uvow__peer_drop(uvow__peer_t *peer);
/* Sends what is in scratch, and what goes inside of it (NULL: nothing does). On
 * error the peer is dropped, later. */
void uvow__peer_send(uvow__peer_t *peer, const uvow__splice_t *splice);
/* Drops it, later. */
void uvow__peer_doom(uvow__peer_t *peer);
/* Begins a call: queues it. */
void uvow__call_begin(uvow__peer_t *peer, const uvow__msg_t *msg);
/* Answers a message that can't be read, if it may be a call; NULL: it isn't
 * text. */
void uvow__call_refuse(uvow__peer_t *peer, const uvow__msg_t *msg);
/* Ends all calls of a peer, without answers. */
void uvow__calls_drop(uvow__peer_t *peer);
/* Frees a server that has nothing left. */
void uvow__server_release(uvow_server_t *server);
/* One user less: see busy. */
void uvow__server_idle(uvow_server_t *server);
/* A peer has gone: the server may be closed now. */
void uvow__server_peer_gone(uvow_server_t *server);

#endif
