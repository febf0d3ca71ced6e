/* script.c with continuations. usage: example_script_callbacks URL FILE */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <uv.h>
#include <uvow.h>
#include <uvow/uv.h>

/* [script] */
typedef struct script {
  uvow_peer_t *site;
  uvow_sink_t *file;
  char token[64];
  int pages, next, failed;
} script_t;

static uvow_next_t fetch(const uvow_result_t *r, void *data);

static uvow_next_t on_page(const uvow_result_t *r, void *data) {
  script_t *s = data;
  const char *text;
  if (uvow_result_getf(r, "{s:s,s:i}", "text", &text, "next", &s->next))
    return uvow_next_failed(r->loop);
  uvow_sink_push(s->file, uvow_value_bytes(r->loop, text, strlen(text)));
  s->pages++;
  return uvow_next_future(uvow_future_then(uvow_sink_room(s->file), fetch, s));
}

/* There's room for a page, if one is next. */
static uvow_next_t fetch(const uvow_result_t *r, void *data) {
  script_t *s = data;
  (void)r;
  if (s->next)
    return uvow_next_future(uvow_future_then(
        uvow_peer_requestf(s->site, "page", "{s:s,s:i}", "token", s->token,
                           "number", s->next),
        on_page, s));
  uvow_future_t *written = uvow_sink_flushed(s->file);
  uvow_sink_end(s->file); /* now it is written, and renamed */
  s->file = NULL;
  return uvow_next_future(written);
}

static uvow_next_t on_login(const uvow_result_t *r, void *data) {
  script_t *s = data;
  const char *token;
  if (uvow_result_getf(r, "{s:s}", "token", &token))
    return uvow_next_failed(r->loop);
  snprintf(s->token, sizeof s->token, "%s", token);
  return fetch(r, s);
}

static void on_end(const uvow_result_t *r, void *data) {
  script_t *s = data;
  s->failed = r->error != NULL;
  printf("%d pages%s\n", s->pages, s->failed ? ", and it failed" : "");
  uvow_sink_drop(s->file); /* NULL, or what was there before stays */
  uvow_peer_unref(s->site);
  uvow_loop_close(r->loop, NULL, NULL);
}
/* [script] */

int main(int argc, char **argv) {
  script_t s = {.next = 1};
  uvow_loop_t *loop = uvow_loop_new(uv_default_loop(), NULL);
  if (argc != 3 || !loop)
    return 2;
  signal(SIGPIPE, SIG_IGN); /* as every libuv program that writes to sockets */
  s.site = uvow_peer_connect(
      loop, argv[1],
      UVOW_WITH(peer, .protocol = uvow_protocol_by_name("jsonrpc2")));
  s.file = uvow_fs_write_sink(loop, argv[2]);
  uvow_future_t *f = uvow_peer_requestf(s.site, "login", "{s:s,s:s}", "user",
                                        "ann", "password", "secret");
  if (uvow_future_done(uvow_future_then(f, on_login, &s), on_end, &s))
    return 1;
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  return s.failed || uv_loop_close(uv_default_loop());
}
