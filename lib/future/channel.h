#ifndef UVOW__CHANNEL_VALUE_H
#define UVOW__CHANNEL_VALUE_H

#include <uvow/channel.h>

#include "runtime.h"

/* A channel as the value of an item: for uvow_result_channel. Takes it, also on
 * failure. Errors: UVOW_ENOMEM. */
int uvow__channel_box(uvow__runtime_t *rt, uvow_channel_t channel,
                      uvow_value_t *ret);

#endif
