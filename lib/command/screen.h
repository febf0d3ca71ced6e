#ifndef UVOW_COMMAND_SCREEN_H
#define UVOW_COMMAND_SCREEN_H

#include <stddef.h>
#include <stdio.h>

typedef enum ink {
  INK_NONE, /* the terminal's own */
  INK_BOLD,
  INK_DIM,
  INK_RED,
  INK_GREEN,
  INK_YELLOW,
  INK_CYAN
} ink_t;

/* Where text goes. A terminal has colours, and gets no control character of a
 * peer's; a file or a pipe has the bytes as they came. */
typedef struct screen {
  FILE *file;
  int is_terminal;
  int filters;
  int colours;
} screen_t;

/* raw: a terminal, too, gets the bytes as they came. No colours where NO_COLOR
 * is set and not empty (https://no-color.org), or TERM is "dumb". */
void screen_init(screen_t *screen, FILE *file, int raw);
/* From here on. */
void screen_ink(const screen_t *screen, ink_t ink);
/* Text of ours in a colour. */
void screen_put(const screen_t *screen, ink_t ink, const char *text);
/* A peer's bytes, within a line. */
void screen_peer(const screen_t *screen, const char *bytes, size_t len);
void screen_peer_text(const screen_t *screen, const char *text);
/* The same of JSON text: its newlines and tabs stay. */
void screen_json(const screen_t *screen, const char *bytes, size_t len);

#endif
