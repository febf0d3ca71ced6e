#ifndef UVOW__LOOKUP_H
#define UVOW__LOOKUP_H

#include "loop.h"

/* Looking up the addresses of a name. */
typedef struct uvow__lookup uvow__lookup_t;

/* It's done, and gone. Takes the addresses, to be freed as the network says;
 * NULL, with libuv's error as status: there are none. */
typedef void (*uvow__lookup_cb)(void *ctx, int status,
                                struct addrinfo *addresses);

/* Begins. Borrows host. Keeps ctx. Returns new in ret_lookup. On error
 * (UVOW_ENOMEM, libuv's) nothing is called back. */
int uvow__lookup_begin(uvow_loop_t *loop, const char *host, uint16_t port,
                       uvow__lookup_cb cb, void *ctx,
                       uvow__lookup_t **ret_lookup);
/* Takes it: nothing is called back any more. */
void uvow__lookup_cancel(uvow__lookup_t *lookup);

#endif
