#ifndef UVOW_TEST_SOAK_H
#define UVOW_TEST_SOAK_H

#include <uv.h>
#include <uvow.h>

#include "chopper.h"

#define SOAK_CLIENTS 3

/* What one seed makes: a server, clients, a chopper between them. */
typedef struct soak {
  uint64_t seed;
  sim_random_t random;
  char what[160]; /* for people: what this round is made of */
  uv_loop_t uv;
  uvow_loop_t *loop;
  uvow_server_t *server;
  uvow_peer_t *clients[SOAK_CLIENTS];
  size_t client_count;
  chopper_t chopper;
  uv_timer_t timer;
  int socket_bytes;     /* SO_SNDBUF of uvow's; 0: as it is */
  struct ask *canceled; /* requests that are to be canceled */
  int over;
  size_t at_once; /* requests that wait at the same time */
  size_t to_make; /* requests */
  size_t waiting; /* for their answers */
  size_t settled;
  size_t answered;
  size_t bytes; /* that were answered */
  size_t refused;
  size_t events;
  size_t stalls;
  size_t wrong; /* answers that aren't the request's, strays, errors */
} soak_t;

/* How many tasks a turn runs; 0: as many as uvow does. */
void soak_set_budget(soak_t *soak, unsigned budget);
/* What is in each buffer of both ends, and in the kernel's. */
void soak_report(soak_t *soak);
/* Bytes that are in a socket of this loop, to be read, or sent and not yet
 * acknowledged; 0 where the system doesn't tell. */
size_t soak_in_kernel(soak_t *soak);

#endif
