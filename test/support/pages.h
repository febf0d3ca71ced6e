#ifndef UVOW_TEST_PAGES_H
#define UVOW_TEST_PAGES_H

#include <uvow.h>

#include "support.h"

/* What is served under a path, as "/": text that isn't copied. */
typedef struct page {
  const char *path;
  const char *type;
  const char *text;
  size_t len;
} page_t;

/*
 * A web server for browsers, on loopback.
 *
 *   pages_serve -> a browser asks -> pages_end, before the loop is closed
 */
typedef struct pages {
  uvow_loop_t *loop;
  const page_t *pages;
  size_t count;
  uint16_t port;
  uvow_future_t *end; /* of the listening */
} pages_t;

void pages_serve(pages_t *pages, uvow_loop_t *loop, const page_t *list,
                 size_t count);
void pages_end(pages_t *pages);

#endif
