#ifndef UVOW_TEST_SIM_MODEL_H
#define UVOW_TEST_SIM_MODEL_H

#include "support/support.h"

#include <uv.h>

#include <uvow.h>

#include "rpc/peer.h"
#include "support/connect.h"

#include "frames.h"
#include "random.h"

#define SIM_IDS 16384
#define SIM_NOTES 4096
#define SIM_TRACES 30
#define SIM_NS_PER_MS 1000000u

typedef struct sim sim_t;

typedef enum sim_protocol {
  SIM_JSONRPC2,
  SIM_CALLBACK_ID,
  SIM_CDP,
  SIM_PARTS, /* described as data: has partial answers */
  SIM_PROTOCOLS
} sim_protocol_t;

/* What a world is like: drawn from its seed. */
typedef struct sim_config {
  sim_protocol_t protocol;
  uint32_t steps;
  uint32_t timeout_ms;
  uint32_t connect_ms;
  uint32_t close_ms;
  uint32_t ping_ms;
  uint32_t dead_ms;
  size_t max_message;
  size_t max_unsent;
  size_t max_pending;
  size_t max_in_flight;
  size_t max_queued;
  int send_cancel;
  int count_unanswered;
  int reconnect;
  uint64_t base_ms;
  uint64_t max_ms;
  uint32_t max_attempts;
  uint32_t max_resends;
  uint32_t idempotent; /* one in so many; 0: none */
  uint32_t faults;     /* of the network: one step in so many; 0: none */
  uint32_t alloc;      /* failures of malloc, likewise */
  uint32_t acts;       /* callbacks that do something, likewise */
  uint32_t ends;       /* close, free, loop close: likewise */
  uint32_t big;        /* long payloads, likewise */
  uint32_t streams;    /* one step in so many is about streams; 0: none */
  int renewals;        /* mostly of subscriptions, on one link after another */
} sim_config_t;

typedef struct sim_sub sim_sub_t; /* a stream, see streams.h */

/* Who made a request. */
typedef enum sim_role {
  SIM_WORK, /* the application */
  SIM_SUBSCRIBES,
  SIM_UNSUBSCRIBES,
  SIM_ASKS_PARTS
} sim_role_t;

/* A request, and all that is known of it. */
typedef struct sim_request {
  sim_t *sim;
  uint64_t id; /* 0: it never had a slot */
  uint32_t nonce;
  sim_role_t role;
  sim_sub_t *sub; /* of what isn't SIM_WORK */
  int renewal;    /* made by the client, as it has reconnected */
  uint64_t made_ns;
  uint32_t timeout_ms; /* 0: none */
  int idempotent;
  int json;
  int session;
  size_t pad;
  uint32_t order; /* among all that was made to be sent */
  int settled;    /* said the trace hook */
  int code;
  int caused; /* by its connection's end */
  uvow_outcome_t outcome;
  int sent;     /* how often */
  int sent_on;  /* the number of the last link; 0: none */
  int executed; /* how often, by the server */
  int executed_on;
  int forgotten;  /* the server will not answer */
  int may_cancel; /* somebody gave it up */
  int owed_on;    /* the link on which it's unanswered, and counts; 0: none */
  int cancel_on;  /* the link on which the server must be told so; 0: none */
  /* The user's side. */
  int chain; /* how its future is used */
  int done_wanted;
  int done_calls;
  int finally_wanted;
  int finally_calls;
  int destroy_wanted;
  int destroy_calls;
  int link_calls; /* of then and catch */
  uvow_future_t *kept;
} sim_request_t;

/* What the server sends, and what the client must make of it. */
typedef enum sim_what {
  SIM_ANSWER,        /* a result */
  SIM_ANSWER_ERROR,  /* the server's error */
  SIM_ANSWER_BROKEN, /* a result that isn't JSON inside */
  SIM_ANSWER_BAD,    /* an envelope that breaks the protocol, with an id */
  SIM_STRAY,         /* nothing that the protocol knows */
  SIM_EVENT,
  SIM_CALL,
  SIM_TICK, /* an event of a subscription's */
  SIM_PART  /* a partial answer */
} sim_what_t;

typedef struct sim_message {
  sim_what_t what;
  uint64_t id;    /* of an answer; of a tick, its key */
  uint32_t nonce; /* of its request; of an event, its number */
  sim_sub_t *sub; /* of a tick (NULL: nobody's) or part */
  size_t end;     /* where its frame ends in `down` */
  size_t len;
  char *text;
} sim_message_t;

/* What the server has to answer. */
typedef struct sim_todo {
  uint64_t id;
  uint32_t nonce;
} sim_todo_t;

typedef struct sim_stream sim_stream_t;

/* What has happened to streams. */
typedef struct sim_tally {
  uint64_t streams;
  uint64_t items;
  uint64_t gaps;
  uint64_t renewed;
} sim_tally_t;

/* One connection: both directions, and the server's end. */
typedef struct sim_link {
  sim_t *sim;
  int number;           /* from 1 */
  sim_stream_t *stream; /* NULL: closed by the client */
  int connected;
  int leaving;     /* its end waits for what was sent to leave */
  int plan;        /* SIM_PLAN_* */
  int shaken;      /* the server has accepted the handshake */
  int up_open;     /* the server reads */
  int down_open;   /* the server may write */
  int ended;       /* the client was told of the end */
  int stalled;     /* writes don't leave */
  size_t poison;   /* where the client must give up; 0: nowhere */
  size_t farewell; /* where the server's close frame ends; 0: none */
  size_t window;   /* bytes of `up` on their way */
  sim_bytes_t up;
  sim_bytes_t rx; /* what of it the server has got */
  sim_bytes_t down;
  sim_message_t *messages;
  size_t message_count;
  size_t message_cap;
  size_t message_read; /* those that the client has seen */
  sim_todo_t *todo;
  size_t todo_count;
  size_t todo_cap;
  uint32_t keys;       /* of subscriptions: how many were given out */
  uint32_t last_order; /* of the last message for the first time */
  uint32_t renewed;    /* the number of the last that was made again, and 1 */
  uint64_t silent_ms;  /* since the client last got a byte */
} sim_link_t;

enum {
  SIM_PLAN_GOOD,
  SIM_PLAN_REFUSE_CONNECT,
  SIM_PLAN_SILENT,
  SIM_PLAN_REFUSE,
  SIM_PLAN_GARBAGE,
  SIM_PLAN_BAD_ACCEPT
};

/* What the application is to be told. */
typedef struct sim_notice {
  int kind; /* 1: event, 2: stray, 3: state, 4: tick */
  uint32_t code;
} sim_notice_t;

#define SIM_NOTICES 1024

/* A future of the client's own: ready, drained, closed. */
typedef struct sim_watch {
  struct sim_watch *next;
  sim_t *sim;
  const char *name;
  int calls;
  int64_t left_ms; /* until it must be over; 0: any time */
  int64_t most_ms; /* what is left when the server has read something */
} sim_watch_t;

struct sim {
  uint64_t seed;
  uint32_t step;
  int tracing;
  sim_random_t random;
  sim_config_t config;
  test_alloc_t alloc;
  int alloc_failed; /* a failure was ever asked for */
  int alloc_steps;  /* as long as all fail */
  uv_loop_t *uv;
  uvow_loop_t *loop;
  int loop_closing;
  int loop_closed;
  int wanted;  /* a drain is */
  int looking; /* what has come is to be read before anything expires */
  uint64_t now_ns;
  uvow__transport_t transport;
  uvow_peer_t *client;     /* NULL: freed, or never made */
  uvow_peer_t *in_session; /* of it; or NULL */
  int closing;             /* uvow_peer_close was called */
  int unref;
  int faulted; /* an error without an id is being read */
  uvow_peer_state_t state;
  uvow_peer_state_t told_state;
  sim_link_t **links;
  size_t link_count;
  sim_link_t *link;   /* the last one; NULL: none */
  sim_stream_t *dead; /* closed ones, to be called back */
  sim_request_t **requests;
  size_t request_count;
  size_t request_cap;
  sim_request_t *asking; /* its call has yet to return */
  sim_sub_t **subs;
  size_t sub_count;
  int subscribing; /* uvow_peer_subscribe is on the stack */
  uvow_protocol_t *described;
  sim_tally_t tally;
  sim_request_t *by_id[SIM_IDS];
  uint64_t last_id;
  size_t live;      /* registered and not settled */
  size_t in_flight; /* of these, sent on the last link */
  size_t owed;      /* given up and not answered on it, where they count */
  uint32_t notes;   /* notifications made */
  uint8_t note_seen[SIM_NOTES];
  uint32_t note_order[SIM_NOTES];
  uint32_t order;  /* of the last message that was made */
  uint32_t events; /* numbers of the server's events */
  uint32_t told_events;
  uvow_peer_stats_t expect;
  uint64_t blurred; /* settled without memory: as what, nobody knows */
  uint64_t repeats; /* late or duplicate: the slot was taken since */
  sim_request_t *answering;
  const sim_message_t *answer;
  int calm; /* nothing bad happens any more */
  sim_notice_t notices[SIM_NOTICES];
  size_t notice_first;
  size_t notice_count;
  sim_watch_t *watches;
  char traces[SIM_TRACES][200];
  uint32_t trace_count;
};

/* sim.c: a violation: says so, replays the seed with a trace, and ends. */
void sim_fail(sim_t *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sim_note(sim_t *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Costs nothing while nobody looks. */
#define sim_trace(s, ...)                                                      \
  do {                                                                         \
    if ((s)->tracing)                                                          \
      sim_note((s), __VA_ARGS__);                                              \
  } while (0)
/* Runs what is queued, as the next turn of libuv would. */
void sim_turn(sim_t *s);
void sim_enter(sim_t *s);
void sim_leave(sim_t *s);

/* model.c */
void sim_trace_hooks(sim_t *s, uvow_trace_t *ret);
void sim_expect_notice(sim_t *s, int kind, uint32_t code);
void sim_expect_stray(sim_t *s, uint32_t kind);
void sim_took_notice(sim_t *s, int kind, uint32_t code);
/* A request that got a slot. */
void sim_registered(sim_t *s, sim_request_t *request, uint64_t id);
/* Learns of requests that the client has made by itself. */
void sim_adopt(sim_t *s);
sim_request_t *sim_request_of(sim_t *s, uint64_t id);
/* After each step: what must always be true. */
void sim_check(sim_t *s);
/* At the end of a world. */
void sim_check_end(sim_t *s);

/* user.c */
sim_request_t *sim_new_request(sim_t *s);
/* Something, or nothing, from within a callback. */
void sim_user_act(sim_t *s);
void sim_user_request(sim_t *s);
void sim_user_notify(sim_t *s);
void sim_user_cancel(sim_t *s);
void sim_user_drop(sim_t *s);
void sim_user_watch(sim_t *s);
void sim_user_close(sim_t *s);
void sim_user_free(sim_t *s);
void sim_user_close_loop(sim_t *s);
/* Lets go of every future that is kept. */
void sim_user_release(sim_t *s);

/* steps.c: one thing happens. */
void sim_step(sim_t *s);
/* The clock goes on, and what is due expires. */
void sim_advance(sim_t *s, uint64_t ms);
/* Nothing bad happens any more, and everything must come to its end. */
void sim_calm(sim_t *s);

/* server.c */
void sim_server_read(sim_link_t *link);
void sim_server_act(sim_t *s);
/* Answers all that the server has on this link. */
void sim_server_answer_all(sim_link_t *link);
void sim_server_answer(sim_link_t *link, const sim_request_t *r);
void sim_server_restart(sim_t *s);

/* world.c: a world's configuration. */
void sim_draw_config(sim_t *s);

#endif
