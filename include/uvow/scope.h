#ifndef UVOW_SCOPE_H
#define UVOW_SCOPE_H

/**
 * @file scope.h
 * Scopes: futures that live as long as something of yours (a window, a session,
 * a run of a program).
 *
 * Told later, from the loop's task queue: what the end of a scope cancels, and
 * destructors. Everything here is for the loop's thread.
 */

#include "future.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Futures that are canceled together and awaited together. One owner. */
typedef struct uvow_scope uvow_scope_t;

/** Makes a scope. Returns new, or NULL: no memory, the loop is closed. */
UVOW_NEW uvow_scope_t *uvow_scope_new(uvow_loop_t *loop);
/** A scope within another, which ends no later. Borrows the outer; returns new.
 */
UVOW_NEW uvow_scope_t *uvow_scope_nest(uvow_scope_t *outer);
/**
 * Puts a future into the scope: it's canceled when the scope ends. Takes f,
 * returns new, which settles as f does; UVOW_ECANCELED at once if the scope has
 * ended, or UVOW_ETIMEDOUT if that was its deadline. Borrows the scope; a NULL
 * scope returns f. Since 0.2.
 */
UVOW_NEW uvow_future_t *uvow_scope_add(uvow_scope_t *scope, uvow_future_t *f);
/** Ends the scope after timeout_ms: what is in it then rejects with
 * UVOW_ETIMEDOUT. The earlier one of several holds. Errors: UVOW_ENOMEM. */
UVOW_API int uvow_scope_timeout(uvow_scope_t *scope, uint64_t timeout_ms);
/** A future that's fulfilled (no value) when nothing is left in the scope,
 * cleanups included. Cancels nothing. Returns new. */
UVOW_NEW uvow_future_t *uvow_scope_idle(uvow_scope_t *scope);
/** Cancels all that is in it, inner scopes first, and waits: returns a new
 * future as uvow_scope_idle. Borrows the scope, which is still to be freed. */
UVOW_NEW uvow_future_t *uvow_scope_close(uvow_scope_t *scope);
/** Frees it at any time; what is in it is canceled. Takes it; accepts NULL. */
UVOW_API void uvow_scope_free(uvow_scope_t *scope);

#ifdef __cplusplus
}
#endif

#endif
