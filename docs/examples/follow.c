/* tail -f FILE | grep WORD. Without arguments: on a file of its own. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <uvow/fiber.h>
#include <uvow/json.h>
#include <uvow/uv.h>

typedef struct tail {
  const char *path, *word;
  int is_demo;
  uvow_sink_t *bytes; /* what the file has more than before */
} tail_t;

/* [follow] */
static uvow_next_t follow(uvow_loop_t *loop, void *data) {
  tail_t *tail = data;
  uvow_stream_t *changes = uvow_fs_watch(loop, tail->path);
  uvow_file_t *file = NULL;
  uvow_result_t r;
  if (uvow_await(uvow_fs_open(loop, tail->path, UV_FS_O_RDONLY, 0), &r) == 0)
    file = uvow_file_ref(uvow_result_file(&r));
  while (file) {
    while (uvow_await(uvow_fs_read(file, 65536, -1), &r) == 0 &&
           uvow_result_bytes(&r).len)
      uvow_await_push(tail->bytes, uvow_result_keep(&r));
    if (uvow_await_next(changes, &r) <= 0)
      break;
  }
  uvow_file_unref(file);
  uvow_stream_unref(changes);
  uvow_sink_end(tail->bytes);
  return uvow_next_none();
}

static int has_word(const uvow_result_t *line, void *word) {
  uvow_slice_t text = uvow_result_bytes(line);
  for (size_t i = 0; i + strlen(word) <= text.len; i++)
    if (memcmp(text.bytes + i, word, strlen(word)) == 0)
      return 1;
  return 0;
}

static uvow_next_t print(const uvow_result_t *line, void *data) {
  uvow_slice_t text = uvow_result_bytes(line);
  (void)data;
  printf("%.*s\n", (int)text.len, text.bytes);
  return uvow_next_none();
}
/* [follow] */

static void append(const char *path, const char *text) {
  FILE *file = fopen(path, "a");
  fputs(text, file);
  fclose(file);
}

static uvow_next_t run(uvow_loop_t *loop, void *data) {
  tail_t *tail = data;
  uvow_stream_t *lines = uvow_stream_new(loop, NULL, &tail->bytes);
  uvow_future_t *reader = uvow_fiber_spawn(loop, follow, tail);
  lines = uvow_stream_filter(uvow_stream_lines(lines, 65536), has_word,
                             (void *)tail->word);
  if (tail->is_demo)
    append(tail->path, "another error\n");
  lines = uvow_stream_take(lines, tail->is_demo ? 2 : SIZE_MAX);
  uvow_await(uvow_stream_each(lines, print, NULL), NULL);
  uvow_future_drop(reader);
  return uvow_next_none();
}

int main(int argc, char **argv) {
  int is_demo = argc != 3;
  tail_t tail = {is_demo ? "follow.tmp" : argv[1], is_demo ? "error" : argv[2],
                 is_demo, NULL};
  if (is_demo)
    append(tail.path, "an error\nall is well\n");
  return uvow_fiber_main(run, &tail) || (is_demo && remove(tail.path));
}
