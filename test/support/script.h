#ifndef UVOW_TEST_SCRIPT_H
#define UVOW_TEST_SCRIPT_H

#include "connect.h"
#include "support.h"

#include <uv.h>

#include <uvow/peer.h>

#include "net/loop.h"
#include "net/io.h"
#include "rpc/peer.h"

/*
 * A uv loop, uvow's loop on it, and a peer that the test plays: a stream
 * without a socket, which records what is written and reads what the test
 * feeds. What happens to futures is logged as text.
 */
typedef struct script_stream script_stream_t;

typedef struct script {
  uv_loop_t uv;
  uvow_loop_t *loop; /* NULL: closed */
  test_alloc_t own_alloc;
  test_alloc_t *alloc;
  uint64_t now_ns;             /* of the driven clock */
  uvow__transport_t transport; /* first of what connect finds it by */
  script_stream_t *stream;     /* the last one made; NULL: none, or closed */
  int connects;                /* how often connect was called */
  int connect_error;           /* what connect answers; 0: a stream */
  int block;                   /* a write doesn't leave before it's told to */
  int write_error;             /* what write answers */
  int held;                    /* the last hold, or -1 */
  int paused;                  /* the last pause */
  size_t unsent;    /* what a stream that is written to has yet to send */
  int writes;       /* how often write was called */
  int closed_calls; /* of uvow_loop_close's callback */
  uint8_t *sent;    /* all that was written */
  size_t sent_len;
  size_t sent_at;   /* read so far, by script_next */
  uint8_t *waiting; /* see script_wait; NULL: nothing */
  size_t waiting_len;
  unsigned cut;    /* feed: 0 whole, 1 bytes, else a seed */
  char text[8192]; /* what script_next read */
  char log[16384];
  char unhandled[512]; /* codes that were reported */
  uvow_peer_t *client; /* of script_client */
  void *extra;         /* of the test's own */
} script_t;

void script_init(script_t *s);
void script_init_with(script_t *s, test_alloc_t *alloc);
/* The loop's clock is s->now_ns from here on. */
void script_drive_clock(script_t *s);
/* Lets time pass, and what is due expire. */
void script_advance(script_t *s, uint64_t ms);
/* A few turns of the uv loop, without waiting. */
void script_turns(script_t *s);
/* Turns, waiting, until *flag; fails if nothing can happen any more. */
void script_until(script_t *s, const int *flag);
/* Closes uvow's loop (if it's open) and uv's, which must be empty then; nothing
 * may be left in the log, unhandled or allocated. */
void script_end(script_t *s);
/* The same for sweeps: what is logged doesn't matter. */
void script_quit(script_t *s);

/* Options of a client for JSON-RPC; log of events and strays. */
test_connect_t script_options(script_t *s);
/* A client on the script: s->client. NULL as options: those above. */
int script_client(script_t *s, const test_connect_t *options);
/* script_client, opened: the handshake is done and out of `sent`. */
void script_open_client(script_t *s, const test_connect_t *options);

/* The stream is connected. */
void script_connected(script_t *s);
/* Answers the handshake that is in `sent` with 101. */
void script_accept(script_t *s);
/* The text of that answer: needs the request in `sent`. */
size_t script_accept_text(script_t *s, char *ret, size_t cap);
/* Bytes of the peer, cut as s->cut says; a stream that is closed reads none. */
void script_feed(script_t *s, const void *bytes, size_t len);
/* A frame of a server (not masked). Returns its length. */
size_t script_put_frame(uint8_t *to, unsigned first, const void *bytes,
                        size_t len);
void script_frame(script_t *s, unsigned first, const void *bytes, size_t len);
void script_text(script_t *s, const char *text);
void script_close_frame(script_t *s, int code);
/* Bytes, or a text message, that have come, and are read when the uv loop polls
 * next. Once at a time. */
void script_wait(script_t *s, const void *bytes, size_t len);
void script_wait_text(script_t *s, const char *text);
/* The stream ends: 0 in order, or an error. */
void script_hang_up(script_t *s, int code);
/* What was blocked has left. */
void script_unblock(script_t *s);
/* Whether the stream was closed. */
int script_gone(const script_t *s);

/* The next frame of the client, unmasked, as text: "" when there is none, a
 * control frame as "close:1000", "ping:..", "pong:..", "binary:..". */
const char *script_next(script_t *s);
#define script_expect_sent(s, expected)                                        \
  assert_string_equal(script_next(s), expected)

void script_log(script_t *s, const char *name, const char *what);
#define script_expect(s, expected)                                             \
  script_expect_at(s, expected, __FILE__, __LINE__)
void script_expect_at(script_t *s, const char *text, const char *file,
                      int line);
void script_expect_unhandled(script_t *s, const char *text);

/* The end of a chain that logs how it ended: "a=[1]" a payload, "a=" none,
 * "a=5", "a!ELOST:MAYBE" an error and its outcome (NOT, MAYBE, ANSWERED, or
 * none). */
typedef struct script_mark {
  script_t *s;
  const char *name;
  int calls;
  int done; /* 1 once it was called: for script_until */
  void (*act)(struct script_mark *mark); /* within the callback */
  void *data;
} script_mark_t;

script_mark_t script_mark(script_t *s, const char *name);
void script_done(const uvow_result_t *result, void *mark);
/* uvow_future_done with a mark. Takes f, which may not be NULL. */
void script_watch(uvow_future_t *f, script_mark_t *mark);
/* A request with JSON text and its mark. */
uvow_future_t *script_request(script_t *s, const char *method,
                              const char *params);
void script_call(script_t *s, const char *method, script_mark_t *mark);
/* An error as it is logged, for people: "ELOST:MAYBE". */
void script_describe(const uvow_error_t *error, char *text, size_t cap);

uvow_peer_stats_t script_stats(const script_t *s);

#endif
