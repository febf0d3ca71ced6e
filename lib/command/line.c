/* A call as a line of text. */
#include "line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

static int is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

static void check(line_t *line) {
  json_error_t error;
  json_t *json = json_loadb(line->params, line->params_len,
                            JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, &error);
  if (!json)
    snprintf(line->error, sizeof(line->error), "the params are not JSON: %s",
             error.text);
  json_decref(json);
}

int line_read(line_t *line, const char *text, size_t len) {
  memset(line, 0, sizeof(*line));
  while (len && is_blank(text[len - 1]))
    len--;
  while (len && is_blank(*text)) {
    text++;
    len--;
  }
  if (len == 0 || *text == '#')
    return 0;
  line->method = (char *)malloc(len + 1);
  if (!line->method)
    return -1;
  memcpy(line->method, text, len);
  line->method[len] = '\0';
  size_t end = 0;
  while (end < len && !is_blank(text[end]))
    end++;
  line->method[end] = '\0';
  while (end < len && (is_blank(text[end]) || text[end] == '\0'))
    end++;
  line->params = line->method + (end < len ? end : len);
  line->params_len = len - end;
  if (line->params_len)
    check(line);
  return 0;
}

void line_done(line_t *line) {
  free(line->method);
  line->method = NULL;
}
