#ifndef UVOW__FLOW_H
#define UVOW__FLOW_H

#include <uvow/channel.h>

#include "future/bytes.h"
#include "future/stream.h"
#include "net/connect.h"
#include "net/loop.h"

/*
 * A flow: one of libuv's streams of bytes (TCP, a pipe, a terminal) as a
 * channel, or as one of its halves.
 */
#define UVOW__FLOW_PARTS 16 /* items that are written by one call */

enum { UVOW__FLOW_IN = 1, UVOW__FLOW_OUT = 2, UVOW__FLOW_BOTH = 3 };

typedef struct uvow__flow {
  uvow__resident_t resident;
  uvow_loop_t *loop;
  uv_stream_t *stream;    /* the socket's, or a terminal's; NULL: not yet */
  uvow__socket_t *socket; /* NULL: a terminal, or not yet */
  uvow__connector_t *connector; /* NULL: it isn't connecting */
  uvow_stream_t *in;            /* NULL: there's none, or it has ended */
  uvow_stream_t *out; /* read here; NULL: there's none, or it's over */
  char *name;         /* for errors */
  uvow__task_t task;  /* reads out; at last, frees it */
  uvow__lingerer_t lingerer;
  uvow__deadline_t patience; /* of a lingerer */
  uv_shutdown_t shutdown;
  uv_write_t write;
  uvow_value_t sending[UVOW__FLOW_PARTS]; /* owned, while it's writing */
  unsigned count;                         /* of them */
  unsigned writing : 1;
  unsigned shutting : 1; /* it has both halves' socket, and out is at its end */
  unsigned two_way : 1;
  unsigned deaf : 1;   /* nobody reads what comes */
  unsigned at_eof : 1; /* nothing comes any more */
  unsigned broken : 1; /* not all of out has left, or will */
  unsigned over : 1;   /* it closes */
} uvow__flow_t;

/* Makes one that isn't open yet, and its halves in ret_channel. Copies name.
 * NULL: no memory, or the loop is closed. */
uvow__flow_t *uvow__flow_new(uvow_loop_t *loop, int halves, const char *name,
                             uvow_channel_t *ret_channel);
/* It's open: takes the socket. */
void uvow__flow_open(uvow__flow_t *flow, uvow__socket_t *socket);
/* The same on a terminal of this process. Errors: libuv's, UVOW_ENOMEM. */
int uvow__flow_open_tty(uvow__flow_t *flow, uv_file fd, int readable);
/* Ends both halves. Takes the error, which is the one of `in`; code: what `out`
 * fails with. */
void uvow__flow_end(uvow__flow_t *flow, uvow_error_t *error, int code);
/* The same, with "what name: why". */
void uvow__flow_fail(uvow__flow_t *flow, const char *what, int code);

/* flow_out.c: writes what there is to be written. */
void uvow__flow_write(uvow__flow_t *flow);
/* No more of out is read: code 0: all has left. */
void uvow__flow_leave_out(uvow__flow_t *flow, int code);
void uvow__flow_release(uvow__flow_t *flow);
/* flow.c: a half is over: the other too? */
void uvow__flow_half(uvow__flow_t *flow);

#endif
