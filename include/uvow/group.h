#ifndef UVOW_GROUP_H
#define UVOW_GROUP_H

/**
 * @file group.h
 * Groups: several peers at once.
 *
 * Told later, from the loop's task queue: nothing of its own. Asked on the spot:
 * the callback of a walk, which may call everything.
 *
 * Everything here is for the loop's thread.
 */

#include "methods.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Peers that are told the same. One owner; a peer that ends leaves it. */
typedef struct uvow_group uvow_group_t;
/** Called for a peer, on the spot, within the walk; may call everything.
 * Borrows it. */
typedef void (*uvow_group_cb)(uvow_peer_t *peer, void *data);

/** Makes an empty group. Returns new, or NULL: no memory, or the loop is
 * closed. Since 0.2. */
UVOW_NEW uvow_group_t *uvow_group_new(uvow_loop_t *loop);
/** Adds a peer (once). Doesn't own it. Errors: UVOW_EINVAL: no group or peer;
 * UVOW_ECLOSED, UVOW_ENOMEM. Since 0.2. */
UVOW_API int uvow_group_add(uvow_group_t *group, uvow_peer_t *peer);
/** Removes a peer. Errors: UVOW_EINVAL: it isn't in there. Since 0.2. */
UVOW_API int uvow_group_remove(uvow_group_t *group, uvow_peer_t *peer);
/** Notifies all: the message is written once for peers of one protocol, and
 * compressed once for those whose compression keeps no history. A peer for which
 * too much is unsent is ended (1013). Takes params. Errors: UVOW_EINVAL,
 * UVOW_ETYPE, UVOW_ENOMEM. Since 0.2. */
UVOW_API int uvow_group_notify(uvow_group_t *group, const char *method,
                               uvow_value_t params);
/** The same, with params by a format, as uvow_peer_requestf. Since 0.2. */
UVOW_API int uvow_group_notifyf(uvow_group_t *group, const char *method,
                                const char *format, ...);
/** Calls cb (may be NULL) for each; it may add, remove and end peers, and free
 * the group. Returns how many there were; without memory for the walk, 0. Since
 * 0.2. */
UVOW_API size_t uvow_group_walk(uvow_group_t *group, uvow_group_cb cb,
                                void *data);
/** Frees it; its peers go on. Takes it; accepts NULL; leaves one that a server
 * has. Since 0.2. */
UVOW_API void uvow_group_free(uvow_group_t *group);

#ifdef __cplusplus
}
#endif

#endif
