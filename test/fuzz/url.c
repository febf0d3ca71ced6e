/* Any bytes as a URL: what is accepted holds what url.h promises. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "wire/handshake.h"
#include "wire/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int fact) {
  if (!fact)
    abort();
}

static void visible(const char *text) {
  for (; *text; text++)
    must(*text > ' ' && *text <= '~');
}

/* What was built from the pieces gives the same pieces. */
static void round_trip(const uvow__url_t *url) {
  uvow__url_t again;
  uvow__buf_t text;
  uvow__buf_init(&text, &uvow__mem_default, 65536);
  must(!uvow__buf_append_text(&text, url->secure ? "wss://" : "ws://"));
  must(!uvow__buf_append_text(&text, url->authority));
  must(!uvow__buf_append_text(&text, url->target));
  if (text.len <= UVOW__URL_MAX) { /* a "/" may have been added */
    must(!uvow__url_parse(url->mem, (const char *)text.data, text.len, &again));
    must(again.secure == url->secure && again.port == url->port);
    must(!strcmp(again.host, url->host));
    must(!strcmp(again.authority, url->authority));
    must(!strcmp(again.target, url->target));
    must(!again.user && !again.password);
    uvow__url_done(&again);
  }
  uvow__buf_done(&text);
}

/* What is accepted here, the handshake accepts. */
static void ask_for(const uvow__url_t *url) {
  uvow__handshake_request_t request = {0};
  uvow__buf_t out;
  uvow__buf_init(&out, &uvow__mem_default, SIZE_MAX);
  request.target = url->target;
  request.authority = url->authority;
  request.user = url->user;
  request.password = url->password;
  request.key = "dGhlIHNhbXBsZSBub25jZQ==";
  must(!uvow__handshake_write_request(&out, &request));
  uvow__buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uvow__url_t url;
  if (uvow__url_parse(&uvow__mem_default, (const char *)data, size, &url))
    return 0;
  must(url.host[0] != '\0' && url.port != 0 && url.target[0] == '/');
  must(url.user || !url.password);
  visible(url.host);
  visible(url.authority);
  visible(url.target);
  ask_for(&url);
  round_trip(&url);
  uvow__url_done(&url);
  return 0;
}
