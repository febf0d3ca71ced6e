/*
 * Lines of stdin.
 *
 * 1. Where stdin and stdout are terminals, and libedit was there when this was
 *    built, it edits: its unbuffered mode takes one key at a time, when libuv
 *    says that there is one, so that nothing else waits for the user.
 * 2. Without it the terminal's own editing does: a line comes when it's whole,
 *    and an event that is printed meanwhile leaves what was typed behind it.
 * 3. From a pipe or a file lines come without a prompt.
 */
#include "editor.h"

#include <stdlib.h>
#include <string.h>

#include <uvow/uv.h>

#ifdef UVOW_LIBEDIT
#include <fcntl.h>
#include <histedit.h>
#endif

#define CTRL_D '\4' /* as libedit says that the input has ended */
#define LINE_MAX_BYTES ((size_t)16 << 20)

struct editor {
  client_t *client;
  const editor_callbacks_t *callbacks;
  void *data;
  int prompts; /* stdin and stdout are terminals */
  int hidden;
  int over;  /* no line follows */
  int ended; /* editor_end was called */
  char prompt[32];
  uvow_stream_t *lines;  /* owned; NULL: libedit reads */
  uvow_promise_t *going; /* the next line waits for it; or NULL */
#ifdef UVOW_LIBEDIT
  EditLine *el;
  int taken; /* a line is out of libedit's hands */
  History *history;
  uv_poll_t poll;
#endif
};

static void put_prompt(const editor_t *editor) {
  screen_put(&editor->client->out, INK_BOLD, editor->prompt);
  fflush(stdout);
}

/* ---- lines as they come ---- */

static uvow_next_t on_item(const uvow_result_t *item, void *data) {
  editor_t *editor = (editor_t *)data;
  uvow_slice_t text = uvow_result_bytes(item);
  if (editor->over)
    return uvow_next_pass();
  editor->hidden = 1; /* the terminal has ended the line */
  int waits = editor->callbacks->on_line(text.bytes, text.len, editor->data);
  if (editor->over)
    return uvow_next_pass();
  editor_show(editor);
  if (!waits)
    return uvow_next_pass();
  return uvow_next_future(
      uvow_promise_new(editor->client->loop, &editor->going));
}

static void on_lines_end(const uvow_result_t *result, void *data) {
  editor_t *editor = (editor_t *)data;
  (void)result;
  if (editor->over)
    return;
  editor->over = 1;
  editor->callbacks->on_end(editor->data);
}

static void read_lines(editor_t *editor) {
  editor->lines =
      uvow_stream_lines(uvow_stdin(editor->client->loop), LINE_MAX_BYTES);
  if (editor->prompts)
    put_prompt(editor);
  if (uvow_future_done(
          uvow_stream_each(uvow_stream_ref(editor->lines), on_item, editor),
          on_lines_end, editor))
    on_lines_end(NULL, editor);
}

/* ---- libedit ---- */

#ifdef UVOW_LIBEDIT
static char *prompt_of(EditLine *el) {
  void *data = NULL;
  el_get(el, EL_CLIENTDATA, &data);
  return ((editor_t *)data)->prompt;
}

static void keep_line(editor_t *editor, const char *text) {
  HistEvent event;
  if (*text)
    history(editor->history, &event, H_ENTER, text);
}

/* Out of libedit's hands while it's dealt with, and back. */
static void take_line(editor_t *editor, const char *text, size_t len) {
  char *copy = (char *)malloc(len + 1);
  if (!copy)
    return;
  memcpy(copy, text, len);
  copy[len] = '\0';
  keep_line(editor, copy);
  el_set(editor->el, EL_UNBUFFERED, 0);
  editor->taken = editor->hidden = 1;
  int waits = editor->callbacks->on_line(copy, len, editor->data);
  free(copy);
  if (editor->over)
    return;
  if (waits)
    uv_poll_stop(&editor->poll);
  else
    editor_show(editor);
}

static void on_key(uv_poll_t *poll, int status, int events) {
  editor_t *editor = (editor_t *)poll->data;
  int count = 0;
  (void)events;
  const char *text = status ? NULL : el_gets(editor->el, &count);
  int is_end = text ? count == 1 && *text == CTRL_D : count == 0;
  if (is_end) {
    editor->over = 1;
    uv_poll_stop(poll);
    el_set(editor->el, EL_UNBUFFERED, 0);
    putchar('\n');
    editor->callbacks->on_end(editor->data);
  } else if (text && count > 0 && strchr("\r\n", text[count - 1])) {
    take_line(editor, text, (size_t)count - 1);
  }
}

/* libuv's polling makes the terminal non-blocking, for printf too. */
static void make_blocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  if (flags != -1)
    fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

/* Returns 0; -1: libedit can't. */
static int edit(editor_t *editor) {
  HistEvent event;
  editor->el = el_init("uvow", stdin, stdout, stderr);
  if (!editor->el)
    return -1;
  editor->history = history_init();
  history(editor->history, &event, H_SETSIZE, 1000);
  el_set(editor->el, EL_CLIENTDATA, editor);
  el_set(editor->el, EL_PROMPT, prompt_of);
  el_set(editor->el, EL_EDITOR, "emacs");
  el_set(editor->el, EL_HIST, history, editor->history);
  el_source(editor->el, NULL);
  if (uv_poll_init(&editor->client->uv, &editor->poll, 0)) {
    el_end(editor->el);
    history_end(editor->history);
    editor->el = NULL;
    return -1;
  }
  make_blocking(0);
  editor->poll.data = editor;
  el_set(editor->el, EL_UNBUFFERED, 1);
  uv_poll_start(&editor->poll, UV_READABLE, on_key);
  return 0;
}

/* The rows above the cursor that the prompt and what was typed take. */
static int rows_above(const editor_t *editor) {
  int columns = 0;
  const LineInfo *line = el_line(editor->el);
  el_get(editor->el, EL_GETTC, "co", &columns, NULL);
  size_t before =
      strlen(editor->prompt) + (size_t)(line->cursor - line->buffer);
  return columns > 0 ? (int)(before / (size_t)columns) : 0;
}

static void hide_edited(editor_t *editor) {
  int rows = rows_above(editor);
  if (rows)
    printf("\033[%dA", rows);
  fputs("\r\033[J", stdout);
  fflush(stdout);
}

static void show_edited(editor_t *editor) {
  fflush(stdout);
  if (editor->taken)
    el_set(editor->el, EL_UNBUFFERED, 1); /* a new line */
  else
    el_set(editor->el, EL_REFRESH);
  editor->taken = 0;
  uv_poll_start(&editor->poll, UV_READABLE, on_key);
}

#endif

/* ---- both ---- */

editor_t *editor_new(client_t *client, const editor_callbacks_t *callbacks,
                     void *data) {
  editor_t *editor = (editor_t *)calloc(1, sizeof(*editor));
  if (!editor)
    return NULL;
  editor->client = client;
  editor->callbacks = callbacks;
  editor->data = data;
  editor->prompts = client->out.is_terminal && uv_guess_handle(0) == UV_TTY;
  editor_prompt(editor, "> ");
#ifdef UVOW_LIBEDIT
  if (editor->prompts && edit(editor) == 0)
    return editor;
#endif
  read_lines(editor);
  return editor;
}

void editor_prompt(editor_t *editor, const char *prompt) {
  snprintf(editor->prompt, sizeof(editor->prompt), "%s", prompt);
}

void editor_hide(editor_t *editor) {
  if (editor->hidden++ || !editor->prompts || editor->over)
    return;
#ifdef UVOW_LIBEDIT
  if (editor->el) {
    hide_edited(editor);
    return;
  }
#endif
  fputs("\r\033[K", stdout);
}

void editor_show(editor_t *editor) {
  if (editor->hidden == 0 || --editor->hidden || !editor->prompts ||
      editor->over)
    return;
#ifdef UVOW_LIBEDIT
  if (editor->el) {
    show_edited(editor);
    return;
  }
#endif
  put_prompt(editor);
}

void editor_go_on(editor_t *editor) {
  uvow_promise_t *going = editor->going;
  editor->going = NULL;
  if (going)
    uvow_promise_fulfill(going, uvow_value_none());
#ifdef UVOW_LIBEDIT
  else if (editor->el && editor->hidden)
    editor_show(editor);
#endif
}

void editor_end(editor_t *editor) {
  uvow_stream_t *lines = editor->lines;
  if (editor->ended)
    return;
  editor->ended = editor->over = 1;
  editor->lines = NULL;
  uvow_promise_drop(editor->going);
  editor->going = NULL;
#ifdef UVOW_LIBEDIT
  if (editor->el) {
    el_set(editor->el, EL_UNBUFFERED, 0);
    el_end(editor->el);
    history_end(editor->history);
    editor->el = NULL;
    uv_close((uv_handle_t *)&editor->poll, NULL);
  }
#endif
  if (lines)
    uvow_future_detach(uvow_stream_close(lines));
}

void editor_free(editor_t *editor) {
  free(editor);
}
