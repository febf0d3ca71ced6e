/*
 * Sessions that a client may resume, by the host and port they are with.
 *
 * 1. A session was made under the context's rules, for the host it's kept
 *    under: it's never offered to another.
 * 2. A ticket of TLS 1.3 is used once (RFC 8446 C.4). Each connection brings
 *    new ones.
 * 3. At most SESSIONS_MAX are kept, at most PER_HOST_MAX for one host; the
 *    oldest goes.
 */
#include "tls_private.h"

#include <string.h>

#define SESSIONS_MAX 64
#define PER_HOST_MAX 4

typedef struct session {
  uvow__list_t link;
  uvow__engine_ticket_t *ticket;
  uint16_t port;
  char host[]; /* NUL-terminated */
} session_t;

static session_t *session_of(uvow__list_t *link) {
  return UVOW__CONTAINER(link, session_t, link);
}

static void drop(uvow_tls_t *tls, session_t *entry) {
  uvow__list_remove(&entry->link);
  tls->session_count--;
  uvow__engine_ticket_free(entry->ticket);
  uvow__free(uvow__loop_mem(tls->loop), entry);
}

static int is_of(const session_t *entry, const uvow__tls_io_t *io) {
  return entry->port == io->port && strcmp(entry->host, io->host) == 0;
}

/* Drops the oldest of the io's host, if it has too many; else the oldest
 * of all, if there are. */
static void make_room(uvow__tls_io_t *io) {
  uvow_tls_t *tls = io->tls;
  session_t *oldest = NULL;
  size_t count = 0;
  uvow__list_t *at = tls->sessions.next;
  for (; at != &tls->sessions; at = at->next) {
    if (is_of(session_of(at), io)) {
      oldest = session_of(at);
      count++;
    }
  }
  if (count >= PER_HOST_MAX)
    drop(tls, oldest);
  else if (tls->session_count >= SESSIONS_MAX)
    drop(tls, session_of(tls->sessions.prev));
}

int uvow__tls_keep_ticket(uvow__tls_io_t *io, uvow__engine_ticket_t *ticket) {
  uvow_tls_t *tls = io->tls;
  size_t len = strlen(io->host) + 1;
  make_room(io);
  session_t *entry = (session_t *)uvow__malloc(uvow__loop_mem(tls->loop),
                                               sizeof(*entry) + len);
  if (!entry)
    return 0;
  entry->ticket = ticket;
  entry->port = io->port;
  memcpy(entry->host, io->host, len);
  uvow__list_prepend(&tls->sessions, &entry->link);
  tls->session_count++;
  return 1;
}

void uvow__tls_sessions_done(uvow_tls_t *tls) {
  while (!uvow__list_empty(&tls->sessions))
    drop(tls, session_of(tls->sessions.next));
}

void uvow__tls_session_offer(uvow__tls_io_t *io) {
  uvow_tls_t *tls = io->tls;
  uvow__list_t *at = tls->sessions.next;
  while (at != &tls->sessions && !is_of(session_of(at), io))
    at = at->next;
  if (at == &tls->sessions)
    return;
  session_t *entry = session_of(at);
  if (uvow__engine_resume(io->conn, entry->ticket))
    drop(tls, entry);
}
