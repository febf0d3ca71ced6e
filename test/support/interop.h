#ifndef UVOW_TEST_INTEROP_H
#define UVOW_TEST_INTEROP_H

#include "connect.h"
#include "folder.h"
#include "process.h"

#include <jansson.h>
#include <uvow.h>

/*
 * A test with a real peer: a libuv loop with uvow on it, a program, a client,
 * and how every request ended.
 *
 *   interop_setup (cmocka's) -> interop_run, interop_connect -> interop_ask ->
 *   interop_wait -> interop_finish -> interop_teardown
 */
typedef struct interop interop_t;

/* How a request ended. It lives as long as the interop_t. */
typedef struct answer {
  struct answer *next;
  interop_t *it;
  int calls;           /* how often it was told: once, interop_finish checks */
  size_t turn;         /* the first to settle has 1 */
  int code;            /* 0: fulfilled */
  uvow_error_t *error; /* NULL: fulfilled */
  json_t *json;        /* the value, or NULL */
  uint64_t missed;     /* an item: how many are missing before it */
  int is_end;          /* a stream's */
  void (*then)(struct answer *answer); /* optional: when it's told */
  void *data;                          /* then's */
} answer_t;

/* Something the peer said by itself, or to nobody. */
typedef struct heard {
  struct heard *next;
  uvow_stray_t stray; /* 0: an event */
  char *name;         /* of the event */
  char *text;         /* its payload, or the stray's bytes; NUL-terminated */
  size_t turn;        /* how many requests were settled before */
} heard_t;

struct interop {
  uv_loop_t uv;
  uvow_loop_t *loop;
  process_t process;
  uvow_peer_t *client;
  answer_t *answers; /* the newest first */
  size_t settled;
  heard_t *heard; /* the newest first */
  size_t heard_count;
  const char *name; /* a test's own */
  int finished;
  folder_t folder;         /* its path is empty: interop_folder wasn't called */
  int is_down;             /* interop_down was called, and not interop_up */
  uvow_promise_t *waiting; /* a renewal that waits for interop_up, or NULL */
  char *log;               /* all that the program said */
  size_t log_len;
};

int interop_setup(void **state);
int interop_teardown(void **state);

/* A port that was free a moment ago, for a program that wants to be told one.
 * Another may be faster to take it: that alone is no reason to fail. */
int interop_free_port(interop_t *it);
/* Skips the test without npm's packages, or without a program: before it makes
 * anything, which would leak. */
void interop_need_npm(void);
void interop_need(const char *program);
/* Runs node with a script of test/interop and up to two arguments (or NULL),
 * for which npm's packages must be there: else the test is skipped. */
void interop_run_npm(interop_t *it, const char *script, const char *first,
                     const char *second);
/* The path of a file of npm's packages, as "angular/angular.min.js"; skips the
 * test where there's none. */
const char *interop_npm_path(const char *name, char *path, size_t size);
/* Its text, to be freed. */
char *interop_npm_file(const char *name, size_t *len);
/* The ws URL of the port that it says it listens on. */
void interop_listening(interop_t *it, const char *path, char *url, size_t size);
/* A folder of the test's own, which is HOME too for what it runs from now on. */
const folder_t *interop_folder(interop_t *it);
/* What docs/examples/protocols describes under this name. Returns new. */
uvow_protocol_t *interop_described(const char *name);
/* Starts the program; skips the test without it. */
void interop_run(interop_t *it, const char *const *args);
/* The same with a socket for it: its descriptor 3. */
void interop_run_with(interop_t *it, const char *const *args, uv_tcp_t *socket);
/* Runs the loop until the program, a script of test/interop, has said
 * something; skips the test if that is "missing" and a package's name. */
void interop_check_script(interop_t *it);
/* Runs the loop until the program has said this; returns the rest of that line,
 * to be freed. NULL: it exited. */
char *interop_line(interop_t *it, const char *text);
/* As interop_line, and fails the test where there's none. */
char *interop_expect_line(interop_t *it, const char *text);

/* Options with on_event and on_stray that fill it->heard. */
test_connect_t interop_options(interop_t *it, const char *url,
                               const uvow_protocol_t *protocol);
/* Makes it->client, with these options. */
void interop_connect_with(interop_t *it, const test_connect_t *options);
void interop_connect(interop_t *it, const char *url,
                     const uvow_protocol_t *protocol);

/* A program that is killed, and started anew elsewhere. With interop_renew as
 * options.peer.renew the client waits in between. */
uvow_next_t interop_renew(uvow_peer_t *peer, uint32_t attempt, void *it);
/* interop_connect, and again, without end. */
void interop_connect_again(interop_t *it, const char *url,
                           const uvow_protocol_t *protocol);
/* Kills it, and waits until it has gone. */
void interop_down(interop_t *it);
/* It is there again, at this URL. */
void interop_up(interop_t *it, const char *url);

/* Requests. Takes params. Returned borrowed. */
answer_t *interop_ask(interop_t *it, const char *method, json_t *params);
answer_t *interop_ask_with(interop_t *it, const char *method, json_t *params,
                           const uvow_request_options_t *options);
/* The end of any future, as of a request. Takes f. */
answer_t *interop_watch(interop_t *it, uvow_future_t *f);
/* The next item of a stream, or its end. Borrows it. */
answer_t *interop_next(interop_t *it, uvow_stream_t *stream);
/* Runs the loop until it's told. */
void interop_wait(answer_t *answer);
void interop_wait_all(interop_t *it);
/* Until so much was heard. */
void interop_wait_heard(interop_t *it, size_t count);

size_t interop_count(const interop_t *it, uvow_stray_t stray);
/* The first event with this name, or NULL. */
const heard_t *interop_event(const interop_t *it, const char *name);

/* The stats add up, and nothing waits. */
uvow_peer_stats_t interop_stats(const interop_t *it);

/* The end: everything is freed and closed, and every answer was told once. */
void interop_finish(interop_t *it);

/* It was fulfilled with this text, or number. */
#define assert_text(answer, text)                                              \
  interop_assert_text((answer), (text), __FILE__, __LINE__)
void interop_assert_text(answer_t *answer, const char *text, const char *file,
                         int line);
#define assert_number(answer, number)                                          \
  interop_assert_number((answer), (number), __FILE__, __LINE__)
void interop_assert_number(answer_t *answer, json_int_t number,
                           const char *file, int line);
/* It was rejected with this code and outcome. */
#define assert_rejected(answer, code, outcome)                                 \
  interop_assert_rejected((answer), (code), (outcome), __FILE__, __LINE__)
void interop_assert_rejected(answer_t *answer, int code, uvow_outcome_t outcome,
                             const char *file, int line);

#endif
