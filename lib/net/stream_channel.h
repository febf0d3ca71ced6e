#ifndef UVOW__STREAM_CHANNEL_H
#define UVOW__STREAM_CHANNEL_H

#include <uvow/channel.h>

#include "channel.h"

/*
 * A channel over a public one: a message an item, of bytes or of anything that
 * has a text. Takes both members, also on failure. max_unsent: bytes that may
 * wait for room. Errors: UVOW_EBUSY: another reads the stream; UVOW_EINVAL: a
 * member is NULL, or another loop's; UVOW_ENOMEM.
 *
 * Whose callbacks they are is to be told before the next turn. Its end is that
 * of the stream; a failure that isn't uvow's own, and a dropped sink at the
 * other end, are UVOW_ELOST with the stream's error as the cause.
 */
int uvow__stream_channel_new(uvow_loop_t *loop, uvow_channel_t channel,
                             size_t max_unsent, uvow__channel_t **ret);

#endif
