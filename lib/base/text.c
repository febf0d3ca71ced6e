/*
 * Text: what a peer says, for people to read.
 *
 * 1. It ends in logs and on terminals: no control character, and nothing that a
 *    terminal could take for a command, gets through.
 */
#include "text.h"

const char *uvow__text_shown(char *to, size_t size, uvow__slice_t text) {
  static const char more[] = "...";
  int fits = text.len < size;
  size_t len = fits ? text.len : size - sizeof(more);
  for (size_t i = 0; i < len; i++) {
    char c = text.ptr[i];
    to[i] = c >= ' ' && c <= '~' ? c : '?';
  }
  memcpy(to + len, fits ? "" : more, fits ? 1 : sizeof(more));
  return to;
}
