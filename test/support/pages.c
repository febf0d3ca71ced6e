/*
 * HTTP/1.1, as much of it as a browser needs: one answer a connection.
 *
 * A visit lives until all of its lines were read; its sink is ended behind the
 * answer, or dropped if there was none.
 */
#include "pages.h"

#include <stdio.h>

#include <uvow/uv.h>

#define LINE_MAX_BYTES 16384

typedef struct visit {
  const pages_t *pages;
  uvow_sink_t *out;
  char path[64];
} visit_t;

static const page_t *find(const pages_t *pages, const char *path) {
  for (size_t i = 0; i < pages->count; i++)
    if (strcmp(pages->pages[i].path, path) == 0)
      return &pages->pages[i];
  return NULL;
}

static void push(visit_t *visit, const char *bytes, size_t len) {
  (void)uvow_sink_push(visit->out,
                       uvow_value_bytes(visit->pages->loop, bytes, len));
}

static void answer(visit_t *visit) {
  const page_t *page = find(visit->pages, visit->path);
  char head[256];
  int len = snprintf(head, sizeof(head),
                     "HTTP/1.1 %s\r\nContent-Type: %s\r\n"
                     "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                     page ? "200 OK" : "404 Not Found",
                     page ? page->type : "text/plain", page ? page->len : 0);
  push(visit, head, (size_t)len);
  if (page)
    push(visit, page->text, page->len);
  uvow_sink_end(visit->out);
  visit->out = NULL;
}

static uvow_next_t on_line(const uvow_result_t *line, void *data) {
  visit_t *visit = (visit_t *)data;
  uvow_slice_t text = uvow_result_bytes(line);
  char first[80];
  if (text.len == 0) {
    answer(visit);
    return uvow_next_end(uvow_value_none());
  }
  if (!visit->path[0]) {
    (void)snprintf(first, sizeof(first), "%.*s", (int)text.len, text.bytes);
    if (sscanf(first, "GET %63s HTTP/1.1", visit->path) != 1)
      return uvow_next_code(UVOW_EINVAL, "no GET");
  }
  return uvow_next_none();
}

static void on_gone(const uvow_result_t *result, void *data) {
  visit_t *visit = (visit_t *)data;
  (void)result;
  uvow_sink_drop(visit->out);
  free(visit);
}

static uvow_next_t on_visit(const uvow_result_t *item, void *data) {
  uvow_channel_t peer = uvow_result_channel(item);
  visit_t *visit = (visit_t *)calloc(1, sizeof(*visit));
  assert_non_null(visit);
  visit->pages = (const pages_t *)data;
  visit->out = peer.out;
  uvow_stream_t *lines = uvow_stream_lines(peer.in, LINE_MAX_BYTES);
  assert_int_equal(
      uvow_future_done(uvow_stream_each(lines, on_line, visit), on_gone, visit),
      0);
  return uvow_next_none();
}

void pages_serve(pages_t *pages, uvow_loop_t *loop, const page_t *list,
                 size_t count) {
  pages->loop = loop;
  pages->pages = list;
  pages->count = count;
  uvow_stream_t *visits = uvow_tcp_listen(loop, "127.0.0.1", 0, &pages->port);
  pages->end = uvow_stream_each(visits, on_visit, pages);
  assert_non_null(pages->end);
  assert_int_not_equal(pages->port, 0);
}

void pages_end(pages_t *pages) {
  uvow_future_drop(pages->end);
  pages->end = NULL;
}
