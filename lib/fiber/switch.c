/*
 * From one stack to another and back: the only file that knows how.
 *
 *   in  -> entry ... out -> in returns ... in -> out returns ... end
 *
 * 1. Whoever goes says so to the sanitizers before, and whoever arrives after:
 *    a stack is known to them, and what is left of it at its end is given up.
 * 2. The entry is the outermost frame: debuggers and unwinders stop there.
 */
#include "switch.h"

#if UVOW__FIBERS

#ifdef UVOW__SWITCH_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef UVOW__SWITCH_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#ifdef UVOW_FIBERS_UCONTEXT
#include <stdint.h>
#endif

/* Marks the frame of the function that it stands in as the outermost. Before
 * and after the call of the entry: so that call is no jump. */
#if defined(__GNUC__) && defined(__x86_64__) && defined(__ELF__)
#define OUTERMOST_FRAME() __asm__ volatile(".cfi_undefined rip")
#elif defined(__GNUC__) && defined(__aarch64__) && defined(__ELF__)
#define OUTERMOST_FRAME() __asm__ volatile(".cfi_undefined x30")
#else
#define OUTERMOST_FRAME() (void)0
#endif

static void before_in(uvow__switch_t *sw, void **fake) {
#ifdef UVOW__SWITCH_ASAN
  __sanitizer_start_switch_fiber(fake, sw->low, sw->size);
#endif
#ifdef UVOW__SWITCH_TSAN
  sw->outside_tsan = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(sw->inside_tsan, 0);
#endif
  (void)sw;
  (void)fake;
}

/* Outside again. */
static void after_in(void *fake) {
#ifdef UVOW__SWITCH_ASAN
  __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
  (void)fake;
}

/* fake: where its fake stack is kept; NULL: it won't come back. */
static void before_out(uvow__switch_t *sw, void **fake) {
#ifdef UVOW__SWITCH_ASAN
  __sanitizer_start_switch_fiber(fake, sw->outside_low, sw->outside_size);
#endif
#ifdef UVOW__SWITCH_TSAN
  __tsan_switch_to_fiber(sw->outside_tsan, 0);
#endif
  (void)sw;
  (void)fake;
}

/* Inside, for the first time or again. */
static void after_out(uvow__switch_t *sw) {
#ifdef UVOW__SWITCH_ASAN
  __sanitizer_finish_switch_fiber(sw->fake, &sw->outside_low,
                                  &sw->outside_size);
#endif
  (void)sw;
}

static void init_sanitizers(uvow__switch_t *sw) {
#ifdef UVOW__SWITCH_ASAN
  sw->fake = NULL;
  /* The frames that were on it at its last end never returned. */
  __asan_unpoison_memory_region(sw->low, sw->size);
#endif
#ifdef UVOW__SWITCH_TSAN
  sw->inside_tsan = __tsan_create_fiber(0);
#endif
  (void)sw;
}

void uvow__switch_done(uvow__switch_t *sw) {
#ifdef UVOW__SWITCH_TSAN
  __tsan_destroy_fiber(sw->inside_tsan);
#endif
  (void)sw;
}

#ifdef UVOW_FIBERS_FCONTEXT

/* Boost.Context's C functions, written in assembly; its header is C++. */
typedef struct transfer {
  void *from; /* where the one that jumped here stands */
  void *data; /* what it said */
} transfer_t;
transfer_t jump_fcontext(void *to, void *data);
void *make_fcontext(void *high, size_t size, void (*entry)(transfer_t from));

static void begin(transfer_t from) {
  OUTERMOST_FRAME();
  uvow__switch_t *sw = (uvow__switch_t *)from.data;
  sw->other = from.from;
  after_out(sw);
  sw->entry(sw->data);
  OUTERMOST_FRAME();
}

void uvow__switch_init(uvow__switch_t *sw) {
  init_sanitizers(sw);
  sw->other = make_fcontext(sw->low + sw->size, sw->size, begin);
}

void uvow__switch_in(uvow__switch_t *sw) {
  void *fake = NULL;
  before_in(sw, &fake);
  sw->other = jump_fcontext(sw->other, sw).from;
  after_in(fake);
}

static void leave(uvow__switch_t *sw, void **fake) {
  before_out(sw, fake);
  sw->other = jump_fcontext(sw->other, NULL).from;
}

#else

/* makecontext passes int only: a pointer goes in two halves. */
static void begin(unsigned high, unsigned low) {
  OUTERMOST_FRAME();
  uvow__switch_t *sw =
      (uvow__switch_t *)(uintptr_t)((uint64_t)high << 32 | low);
  after_out(sw);
  sw->entry(sw->data);
  OUTERMOST_FRAME();
}

void uvow__switch_init(uvow__switch_t *sw) {
  uint64_t address = (uintptr_t)sw;
  init_sanitizers(sw);
  (void)getcontext(&sw->inside); /* fails on no system there is */
  sw->inside.uc_stack.ss_sp = sw->low;
  sw->inside.uc_stack.ss_size = sw->size;
  sw->inside.uc_link = NULL;
  makecontext(&sw->inside, (void (*)(void))begin, 2, (unsigned)(address >> 32),
              (unsigned)address);
}

void uvow__switch_in(uvow__switch_t *sw) {
  void *fake = NULL;
  before_in(sw, &fake);
  (void)swapcontext(&sw->outside, &sw->inside);
  after_in(fake);
}

static void leave(uvow__switch_t *sw, void **fake) {
  before_out(sw, fake);
  (void)swapcontext(&sw->inside, &sw->outside);
}

#endif

void uvow__switch_out(uvow__switch_t *sw) {
#ifdef UVOW__SWITCH_ASAN
  leave(sw, &sw->fake);
#else
  leave(sw, NULL);
#endif
  after_out(sw);
}

void uvow__switch_end(uvow__switch_t *sw) {
  leave(sw, NULL);
}

#endif
