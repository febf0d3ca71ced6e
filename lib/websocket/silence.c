/*
 * Keep-alive: a look now and then, not a timer that is moved with every byte.
 *
 * 1. Only what comes counts: a dead link takes what we send for a long time.
 * 2. A look comes when the silence would be over a limit if nothing came; so a
 *    limit is kept to within a millisecond or two, not to within twice itself.
 * 3. A loop that was blocked finds its timers due before it has read what came
 *    meanwhile. So nobody is dead before a second look, a turn later.
 */
#include "silence.h"

static void arm(uvow__silence_t *silence) {
  uint64_t next = UINT64_MAX;
  if (silence->ping_ms)
    next = silence->ping_at_ms - silence->quiet_ms;
  if (silence->doubt)
    next = 1;
  else if (silence->dead_ms && silence->dead_ms - silence->quiet_ms < next)
    next = silence->dead_ms - silence->quiet_ms;
  if (next == UINT64_MAX)
    return;
  silence->next_ms = next;
  uvow__runtime_arm(silence->rt, &silence->look, next);
}

/* Looks: how long has it been quiet? */
static void take_stock(uvow__silence_t *silence) {
  uint64_t now = uvow__runtime_now(silence->rt);
  if (!silence->heard) {
    silence->quiet_ms += silence->next_ms;
    return;
  }
  silence->quiet_ms = (now - silence->heard_ns) / UVOW__NS_PER_MS;
  silence->ping_at_ms = silence->ping_ms;
  silence->heard = silence->doubt = 0;
}

static void on_look(uvow__deadline_t *deadline) {
  uvow__silence_t *silence = (uvow__silence_t *)(void *)deadline;
  take_stock(silence);
  if (silence->doubt) {
    silence->cb(silence, 1);
    return;
  }
  silence->doubt = silence->dead_ms && silence->quiet_ms >= silence->dead_ms;
  int ping = silence->ping_ms && silence->quiet_ms >= silence->ping_at_ms;
  if (ping)
    silence->ping_at_ms = silence->quiet_ms + silence->ping_ms;
  arm(silence);
  if (ping)
    silence->cb(silence, 0);
}

void uvow__silence_init(uvow__silence_t *silence, uvow__runtime_t *rt,
                        uint64_t ping_ms, uint64_t dead_ms,
                        uvow__silence_cb cb) {
  uvow__deadline_init(&silence->look, on_look);
  silence->rt = rt;
  silence->cb = cb;
  silence->ping_ms = ping_ms;
  silence->dead_ms = dead_ms;
}

void uvow__silence_start(uvow__silence_t *silence) {
  silence->quiet_ms = 0;
  silence->ping_at_ms = silence->ping_ms;
  silence->heard = silence->doubt = 0;
  arm(silence);
}
