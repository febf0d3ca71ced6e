/*
 * uvow connect: a conversation.
 *
 *   a line -> call -> on_answer: "#1 add [1,2]: 3  0.41 ms"
 *   an event -> on_event: "tick [1]", above the prompt
 *   .quit, the end of the input, Ctrl-C -> finish -> client_close
 *
 * The end of the input waits for the answers to what was asked.
 */
#include "commands.h"

#include <stdlib.h>
#include <string.h>

#include <uvow/subscription.h>

#include "editor.h"
#include "line.h"
#include "measure.h"
#include "verdict.h"

#define SHOWN_PARAMS 40 /* bytes of a call's, beside its answer */

typedef struct chat {
  client_t client;
  editor_t *editor;
  uint64_t numbers;
  uint64_t unanswered;
  int waiting; /* .wait */
  int ended;   /* no line follows */
} chat_t;

typedef struct asked {
  chat_t *chat;
  line_t line;
  uvow_slice_t params;
  uint64_t number;
  uint64_t started;
} asked_t;

static void number_prompt(chat_t *chat) {
  char prompt[32];
  snprintf(prompt, sizeof(prompt), "%llu> ",
           (unsigned long long)chat->numbers + 1);
  if (chat->editor)
    editor_prompt(chat->editor, prompt);
}

static void finish(client_t *client) {
  chat_t *chat = (chat_t *)client->data;
  chat->ended = 1;
  if (chat->editor)
    editor_end(chat->editor);
  client_close(client);
}

static void hide(chat_t *chat) {
  if (chat->editor)
    editor_hide(chat->editor);
}

static void show(chat_t *chat) {
  fflush(stdout);
  if (chat->editor)
    editor_show(chat->editor);
}

/* #1 add [1,2]: */
static void print_call(const asked_t *asked) {
  const screen_t *out = &asked->chat->client.out;
  size_t len = asked->params.len;
  size_t shown = len > SHOWN_PARAMS ? SHOWN_PARAMS : len;
  screen_ink(out, INK_DIM);
  printf("#%llu %s", (unsigned long long)asked->number, asked->line.method);
  if (len) {
    putchar(' ');
    screen_peer(out, asked->params.bytes, shown);
    fputs(shown < len ? "..." : "", stdout);
  }
  fputs(": ", stdout);
  screen_ink(out, INK_NONE);
}

static void print_value(const screen_t *out, const uvow_result_t *result) {
  uvow_slice_t got = uvow_result_bytes(result);
  screen_ink(out, INK_GREEN);
  if (got.len)
    screen_json(out, got.bytes, got.len);
  else
    fputs("null", stdout);
  screen_ink(out, INK_NONE);
}

static void print_fault(const screen_t *out, const uvow_error_t *error) {
  const char *said = uvow_error_peer_message(error);
  size_t len = 0;
  const char *data = uvow_error_data(error, &len);
  screen_put(out, INK_RED, uvow_err_name(uvow_error_code(error)));
  printf(", %s: ", verdict_text(uvow_error_outcome(error)));
  screen_peer_text(out, said ? said : uvow_error_message(error));
  if (uvow_error_code(error) == UVOW_EREMOTE)
    printf(" (code %lld)", (long long)uvow_error_peer_code(error));
  if (data && len) {
    fputs(": ", stdout);
    screen_peer(out, data, len);
  }
}

static void asked_free(asked_t *asked) {
  line_done(&asked->line);
  free(asked);
}

static void on_answer(const uvow_result_t *result, void *data) {
  asked_t *asked = (asked_t *)data;
  chat_t *chat = asked->chat;
  const screen_t *out = &chat->client.out;
  char took[24];
  measure_format_ns((double)(uv_hrtime() - asked->started), took, sizeof(took));
  hide(chat);
  print_call(asked);
  if (result->error)
    print_fault(out, result->error);
  else
    print_value(out, result);
  screen_ink(out, INK_DIM);
  printf("  %s", took);
  screen_ink(out, INK_NONE);
  putchar('\n');
  show(chat);
  asked_free(asked);
  if (--chat->unanswered)
    return;
  if (chat->waiting && chat->editor)
    editor_go_on(chat->editor);
  chat->waiting = 0;
  if (chat->ended)
    finish(&chat->client);
}

static uvow_next_t on_event(const uvow_result_t *event, void *data) {
  chat_t *chat = (chat_t *)data;
  hide(chat);
  event_print(&chat->client, event, NULL);
  show(chat);
  return uvow_next_pass();
}

static void on_events_end(const uvow_result_t *result, void *data) {
  (void)result;
  (void)data;
}

static void say(const chat_t *chat, const char *text) {
  screen_put(&chat->client.err, INK_YELLOW, text);
  fputc('\n', stderr);
}

/* A line that asks, or tells. */
static void call(chat_t *chat, const char *text, size_t len, int notify) {
  asked_t *asked = (asked_t *)calloc(1, sizeof(*asked));
  int rc = asked && line_read(&asked->line, text, len) == 0 ? 0 : UVOW_ENOMEM;
  if (rc || !asked->line.method || *asked->line.error) {
    if (rc || *asked->line.error)
      say(chat, rc ? uvow_strerror(rc) : asked->line.error);
    if (asked)
      asked_free(asked);
    return;
  }
  asked->chat = chat;
  asked->params.bytes = asked->line.params;
  asked->params.len = asked->line.params_len;
  asked->started = uv_hrtime();
  uvow_value_t params = uvow_value_slice(&asked->params);
  if (notify) {
    rc = uvow_peer_notify(chat->client.peer, asked->line.method, params);
    asked_free(asked);
  } else {
    asked->number = ++chat->numbers;
    chat->unanswered++;
    rc = uvow_future_done(
        uvow_peer_request(chat->client.peer, asked->line.method, params),
        on_answer, asked);
  }
  if (rc)
    say(chat, uvow_strerror(rc));
}

static void print_pending(const uvow_pending_t *pending, void *data) {
  char age[24];
  (void)data;
  printf("%s, %s", pending->method,
         pending->in_flight ? "sent " : "not sent yet");
  if (pending->in_flight)
    printf("%s ago",
           measure_format_ns((double)pending->age_us * 1e3, age, sizeof(age)));
  putchar('\n');
}

static int is(const char *text, size_t len, const char *word) {
  size_t n = strlen(word);
  return len >= n && memcmp(text, word, n) == 0 && (len == n || text[n] == ' ');
}

/* Returns 1: no line before all is answered. */
static int command(chat_t *chat, const char *text, size_t len) {
  uvow_slice_t rest = {text, len};
  while (rest.len && *rest.bytes != ' ') {
    rest.bytes++;
    rest.len--;
  }
  if (is(text, len, ".quit"))
    finish(&chat->client);
  else if (is(text, len, ".notify"))
    call(chat, rest.bytes, rest.len, 1);
  else if (is(text, len, ".send"))
    (void)uvow_peer_send(chat->client.peer,
                         uvow_value_bytes(chat->client.loop,
                                          rest.len ? rest.bytes + 1 : "",
                                          rest.len ? rest.len - 1 : 0));
  else if (is(text, len, ".pending"))
    (void)uvow_peer_walk(chat->client.peer, print_pending, NULL);
  else if (is(text, len, ".wait"))
    return chat->waiting = chat->unanswered > 0;
  else
    say(chat,
        "METHOD [PARAMS], .notify METHOD [PARAMS], .send TEXT, .wait, "
        ".pending, .quit");
  return 0;
}

static int on_line(const char *text, size_t len, void *data) {
  chat_t *chat = (chat_t *)data;
  int waits = 0;
  if (len && *text == '.')
    waits = command(chat, text, len);
  else
    call(chat, text, len, 0);
  number_prompt(chat);
  fflush(stdout);
  return waits;
}

static void on_end(void *data) {
  chat_t *chat = (chat_t *)data;
  chat->ended = 1;
  if (chat->unanswered == 0 && chat->client.opened)
    finish(&chat->client);
}

/* What a server says that is no answer is shown as it is: .send asks for it. */
static int on_stray(client_t *client, uvow_stray_t stray,
                    uvow_slice_t message) {
  chat_t *chat = (chat_t *)client->data;
  if (stray == UVOW_STRAY_EVENT)
    return 0;
  hide(chat);
  fputs("< ", stdout);
  screen_peer(&client->out, message.bytes, message.len);
  putchar('\n');
  show(chat);
  return 1;
}

static void on_state(client_t *client, const uvow_peer_change_t *change) {
  chat_t *chat = (chat_t *)client->data;
  char age[24];
  if (client->closing)
    return;
  hide(chat);
  if (change->state == UVOW_PEER_OPEN) {
    client->status = EXIT_OK;
    if (client->out.is_terminal)
      fprintf(stderr, "connected to %s in %s\n", client->args->url,
              client_age(client, age, sizeof(age)));
  }
  if (change->why &&
      (change->state == UVOW_PEER_CLOSED || change->state == UVOW_PEER_WAITING))
    verdict_print(&client->err, change->why);
  show(chat);
  if (change->state == UVOW_PEER_OPEN && chat->ended && !chat->unanswered)
    finish(client);
  if (change->state != UVOW_PEER_CLOSED)
    return;
  client->status = client->opened ? EXIT_MAYBE : EXIT_NOT_SENT;
  finish(client);
}

static const editor_callbacks_t callbacks = {on_line, on_end};

int connect_main(const args_t *args) {
  static const uvow_reconnect_options_t reconnect = {.size = sizeof(reconnect)};
  chat_t chat = {0};
  int status = client_init(&chat.client, args);
  if (status)
    return status;
  chat.client.data = &chat;
  chat.client.on_state = on_state;
  chat.client.on_stray = on_stray;
  if (client_connect(&chat.client, args->reconnect ? &reconnect : NULL, NULL))
    return client_run(&chat.client);
  chat.editor = editor_new(&chat.client, &callbacks, &chat);
  number_prompt(&chat);
  client_on_interrupt(&chat.client, finish);
  int rc = uvow_future_done(
      uvow_stream_each(uvow_peer_events(chat.client.peer, NULL), on_event,
                       &chat),
      on_events_end, &chat);
  if (rc || !chat.editor)
    finish(&chat.client);
  status = client_run(&chat.client);
  editor_free(chat.editor);
  return status;
}
