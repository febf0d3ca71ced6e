#ifndef UVOW__PEER_CONFIG_H
#define UVOW__PEER_CONFIG_H

#include <uvow/peer.h>

/* What is kept of a peer's options, with their defaults. Counted: a server's
 * peers share it. */
typedef struct uvow__peer_config {
  size_t refs;
  uvow_peer_options_t options; /* owns the methods; no other pointer is kept */
  uvow_trace_t trace;
  char *vars; /* the options'; or NULL */
} uvow__peer_config_t;

/* Returns new, with one owner, or NULL: no memory. */
uvow__peer_config_t *uvow__peer_config_new(uvow_loop_t *loop,
                                           const uvow_peer_options_t *options);
/* Accepts NULL. */
void uvow__peer_config_unref(uvow__peer_config_t *config, uvow_loop_t *loop);

/* Why options can't work. */
typedef struct uvow__peer_fault {
  const char *why; /* NULL: they can */
  char text[160];  /* that, where it names something */
} uvow__peer_fault_t;
/* Whether these options can work, of one that has connected, or is connected
 * to. Where they are of another size, they become `own`. Returns why they can't
 * (valid as `fault`), or NULL. */
const char *uvow__peer_options_fault(const uvow_peer_options_t **options,
                                     uvow_peer_options_t *own, int is_server,
                                     uvow__peer_fault_t *fault);
/* Notes it, for uvow_loop_error. Returns UVOW_EINVAL. */
int uvow__peer_options_fail(uvow_loop_t *loop, const uvow__peer_fault_t *fault);

#endif
