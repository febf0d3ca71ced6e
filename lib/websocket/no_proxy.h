#ifndef UVOW__NO_PROXY_H
#define UVOW__NO_PROXY_H

#include <stdint.h>

/*
 * Whether a list as of NO_PROXY has this host: a name, or an address without
 * brackets; in lower case. Members are divided by commas and blanks:
 *
 *   *                        every host
 *   name, .name, *.name      this name, and all that end in .name
 *   address, address/bits    this address (IPv6: in brackets or not), this net
 *   any of them:port         only with this port (IPv6: in brackets)
 *
 * Letters are compared without case, a dot at a name's end means nothing. What
 * is malformed matches nothing.
 */
int uvow__no_proxy(const char *list, const char *host, uint16_t port);

#endif
