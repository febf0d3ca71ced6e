/*
 * What is written to a terminal.
 *
 * 1. A peer's bytes may be written to move the cursor, to rename the window, to
 *    answer in the user's stead. On a terminal control characters (C0, DEL, C1),
 *    what changes the direction of text, and bytes that are no UTF-8 are written
 *    as escapes: those of JSON, so that JSON stays the same JSON; \xHH for a
 *    byte.
 * 2. Elsewhere not a byte is changed: a program reads what was sent.
 */
#include "screen.h"

#include <stdlib.h>
#include <string.h>

#include <uv.h>

static int is_set(const char *name) {
  const char *value = getenv(name);
  return value && *value;
}

static int is_dumb(void) {
  const char *term = getenv("TERM");
  return !term || strcmp(term, "dumb") == 0;
}

void screen_init(screen_t *screen, FILE *file, int raw) {
  screen->file = file;
  screen->is_terminal = uv_guess_handle(file == stdout ? 1 : 2) == UV_TTY;
  screen->filters = screen->is_terminal && !raw;
  screen->colours = screen->is_terminal && !is_set("NO_COLOR") && !is_dumb();
}

void screen_ink(const screen_t *screen, ink_t ink) {
  static const char *const codes[] = {"0", "1", "2", "31", "32", "33", "36"};
  if (screen->colours)
    fprintf(screen->file, "\033[%sm", codes[ink]);
}

void screen_put(const screen_t *screen, ink_t ink, const char *text) {
  screen_ink(screen, ink);
  fputs(text, screen->file);
  screen_ink(screen, INK_NONE);
}

/* How many bytes follow the first one of a character; -1: it is no first one. */
static int bytes_after(unsigned char first) {
  if (first < 0x80)
    return 0;
  if (first < 0xc2 || first > 0xf4)
    return -1;
  return first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
}

/* The character at the front. Returns its bytes; 0: it is no UTF-8 (RFC 3629).
 */
static size_t decode(const unsigned char *at, size_t len, unsigned *ret) {
  static const unsigned least[] = {0, 0x80, 0x800, 0x10000};
  static const unsigned char masks[] = {0x7f, 0x1f, 0x0f, 0x07};
  int after = bytes_after(*at);
  if (after < 0 || (size_t)after >= len)
    return 0;
  unsigned point = *at & masks[after];
  for (int i = 1; i <= after; i++) {
    if ((at[i] & 0xc0) != 0x80)
      return 0;
    point = point << 6 | (at[i] & 0x3f);
  }
  if (point < least[after] || point > 0x10ffff ||
      (point >= 0xd800 && point < 0xe000))
    return 0;
  *ret = point;
  return (size_t)after + 1;
}

/* Whether a terminal, or whoever reads it, could be misled by it. */
static int misleads(unsigned point) {
  return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x61c ||
         point == 0x200e || point == 0x200f ||
         (point >= 0x2028 && point <= 0x202e) ||
         (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

static void put_filtered(FILE *file, const char *bytes, size_t len,
                         const char *kept) {
  const unsigned char *at = (const unsigned char *)bytes;
  const unsigned char *end = at + len;
  while (at < end) {
    unsigned point = 0;
    size_t size = decode(at, (size_t)(end - at), &point);
    if (size == 0)
      fprintf(file, "\\x%02x", *at);
    else if (misleads(point) && !(*at && strchr(kept, (char)*at)))
      fprintf(file, "\\u%04x", point);
    else
      fwrite(at, 1, size, file);
    at += size ? size : 1;
  }
}

static void put(const screen_t *screen, const char *bytes, size_t len,
                const char *kept) {
  if (screen->filters)
    put_filtered(screen->file, bytes, len, kept);
  else
    fwrite(bytes, 1, len, screen->file);
}

void screen_peer(const screen_t *screen, const char *bytes, size_t len) {
  put(screen, bytes, len, "");
}

void screen_peer_text(const screen_t *screen, const char *text) {
  screen_peer(screen, text, strlen(text));
}

void screen_json(const screen_t *screen, const char *bytes, size_t len) {
  put(screen, bytes, len, "\n\t");
}
