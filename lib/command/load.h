#ifndef UVOW_COMMAND_LOAD_H
#define UVOW_COMMAND_LOAD_H

#include <jansson.h>
#include <uv.h>

#include "args.h"
#include "measure.h"
#include "pace.h"

/*
 * The load: keeps requests in flight, and measures them.
 *
 *   load_init -> load_start -> (load_time)* -> on_end -> load_done
 */
typedef struct load load_t;

/* Told once: no request is in flight, and none will be. */
typedef void (*load_end_cb)(load_t *load, void *data);

/* --verify's params: {"x":number}. */
typedef struct load_text {
  uint32_t len;
  char text[28];
} load_text_t;

/* One request in flight, and the next in its place. */
typedef struct load_slot {
  load_t *load;
  uvow_peer_t *client;
  uint64_t start;  /* uv_hrtime of when it began, or should have begun */
  uint64_t number; /* of the request, from 1 */
  struct load_slot *next_free;
  load_text_t own; /* with --verify */
} load_slot_t;

typedef enum load_phase {
  LOAD_WARM = 1,
  LOAD_COUNTS = 2,
  LOAD_DRAINS = 3, /* no new requests; waits for those in flight */
  LOAD_ENDED = 4
} load_phase_t;

struct load {
  const args_t *args;
  measure_t *measure;
  load_end_cb on_end;
  void *data;
  json_t *params; /* NULL: none; owned */
  size_t params_len;
  load_slot_t *slots; /* owned */
  load_slot_t *free_head;
  load_slot_t *free_tail;
  load_phase_t phase;
  uint64_t begin;   /* of the counted time */
  uint64_t end;     /* of the counted time, UINT64_MAX: not known yet */
  uint64_t turn_at; /* when the phase changes */
  uint64_t left;    /* --requests: to be sent */
  uint64_t numbers;
  load_text_t next; /* of the next number */
  uint64_t outstanding;
  uint64_t alive; /* slots that go on */
  uint64_t begun; /* slots that have, with --ramp */
  uint64_t ramp_from;
  pace_t pace; /* of --rate */
  double cpu_at_begin;
};

/* Borrows clients (args->connections of them). UVOW_ENOMEM. */
int load_init(load_t *load, const args_t *args, measure_t *measure,
              uvow_peer_t *const *clients, load_end_cb on_end, void *data);
void load_done(load_t *load);
/* Sends the first requests. */
void load_start(load_t *load);
/* To be called often: sends what is due, and ends what is over. */
void load_time(load_t *load, uint64_t now);
/* How long until a request is due; 0: one is, or all slots are taken;
 * UINT64_MAX: none will be. */
uint64_t load_wait(const load_t *load, uint64_t now);
/* Ends the counted time now. */
void load_stop(load_t *load, uint64_t now);

#endif
