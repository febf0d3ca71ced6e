#ifndef UVOW__CHANNEL_VALUE_H
#define UVOW__CHANNEL_VALUE_H

#include <uvow/channel.h>

#include "runtime.h"

#define UVOW__CHANNEL_FROM_MAX 48 /* a numeric address's, with its NUL */

/* A channel as the value of an item: for uvow_result_channel; and whom it leads
 * to: "": that has no address. Takes the channel, also on failure. Errors:
 * UVOW_ENOMEM. */
int uvow__channel_box(uvow__runtime_t *rt, uvow_channel_t channel,
                      const char *from, uint16_t port, uvow_value_t *ret);
/* Whom; borrowed, as long as the value. NULL: it's no channel, or has none.
 * ret_port may be NULL. */
const char *uvow__channel_from(const uvow_value_t *value, uint16_t *ret_port);

#endif
