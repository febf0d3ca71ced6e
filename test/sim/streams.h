#ifndef UVOW_TEST_SIM_STREAMS_H
#define UVOW_TEST_SIM_STREAMS_H

#include "server.h"

/*
 * Streams in a world: subscriptions, events by name, partial answers; and what
 * must be true of them.
 *
 * 1. Items come in the server's order, those of one connection before those of
 *    the next, and none that was not read from the wire for this stream.
 * 2. Whatever was read for a stream is an item of it, or is counted as missing
 *    in the item behind it. Nothing is missing where the stream fails when it is
 *    full, nor where it was never full.
 * 3. What was subscribed is subscribed on each connection once, before all else,
 *    and the first item of another connection says that some may be missing.
 * 4. When all is quiet, a reader that waits has had the last item there is.
 * 5. Each stream ends once, for a reason, and nothing comes behind that; what was
 *    let go of is unsubscribed.
 */

#define SIM_SUBS 24

typedef enum sim_kind {
  SIM_SUBSCRIPTION,
  SIM_EVENTS,
  SIM_PARTS_OF, /* partial answers to a request */
  SIM_KINDS
} sim_kind_t;

typedef enum sim_reader {
  SIM_READS_NEXT,  /* when the world says so, a few ahead */
  SIM_READS_EACH,  /* at once */
  SIM_READS_SLOWLY /* each waits for a promise */
} sim_reader_t;

struct sim_sub {
  sim_t *sim;
  uint32_t number;
  sim_kind_t kind;
  sim_reader_t reader;
  uvow_full_t full;
  size_t max_items;
  int tell_gaps;
  int no_renewal;
  /* The user's side. */
  uvow_stream_t *stream; /* a handle, or NULL */
  uvow_future_t *each;
  uvow_promise_t *busy; /* its callback is at work */
  int nexts;            /* that are pending */
  int let_go;
  int let_go_idle; /* nothing of it was under way then */
  int ended;
  int closes; /* that have yet to settle */
  /* What the server has. */
  uint32_t key; /* on link key_link */
  int key_link; /* 0: never subscribed */
  int active;
  uint32_t said; /* the number of the last event, or partial answer */
  /* What has become of its requests. */
  sim_request_t *last; /* request that asks for it */
  int on_link;         /* the last link on which that was answered well */
  int first_on;
  int sure_link; /* the same, and what it caused is over */
  int was_full;
  int untold; /* the request that unsubscribes has failed */
  /* The last that was read from the wire, and the last item. */
  int read_link;
  uint64_t read;
  uint64_t held; /* the last one that came before the answer */
  int overrun;   /* some may have been pushed out before it came */
  int got_link;
  uint64_t got;
  uint64_t waiting; /* items at most */
  uint64_t gap;     /* told by items of gaps, before the next */
};

/* streams.c: the application's side, and what the model expects. */
void sim_streams_act(sim_t *s);
/* All who read do, until nothing is left. */
void sim_streams_read_all(sim_t *s);
void sim_streams_release(sim_t *s);
void sim_streams_done(sim_t *s);
void sim_streams_check(sim_t *s);
void sim_streams_check_said(sim_t *s, const sim_link_t *link);
void sim_streams_check_end(sim_t *s);
/* The hooks tell names also where there is no memory for them. */
void sim_streams_name(sim_t *s);
/* A request of this name, which a stream has made; NULL: it's none. */
sim_request_t *sim_streams_own(sim_t *s, const char *method);
void sim_streams_sent(sim_t *s, const sim_request_t *r);
void sim_streams_settled(sim_t *s, const sim_request_t *r);
/* Whether it's over for the client, however late its reader. */
int sim_streams_let_go(const sim_t *s, const sim_sub_t *sub);
int sim_streams_may_cancel(const sim_t *s, const sim_request_t *r);
/* The client reads an event, tick or part. */
void sim_streams_read(sim_t *s, const sim_message_t *message);
/* The method for all events is told a tick. */
uvow_next_t sim_streams_told(sim_t *s, uvow_slice_t params);
/* Whether it's a tick that was nobody's after all. */
int sim_streams_stray(sim_t *s, uvow_slice_t message);

/* streams_server.c */
void sim_streams_execute(sim_link_t *link, sim_request_t *r);
void sim_streams_canceled(sim_link_t *link, const sim_request_t *r);
void sim_streams_say(sim_link_t *link);
/* The server's answer says no. */
void sim_streams_refused(const sim_request_t *r);

/* How a message names it. */
void sim_streams_method(const sim_request_t *r, char ret[32]);

#endif
