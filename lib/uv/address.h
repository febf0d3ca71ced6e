#ifndef UVOW__ADDRESS_H
#define UVOW__ADDRESS_H

#include <stdint.h>

#include <uv.h>

#define UVOW__ADDRESS_MAX (INET6_ADDRSTRLEN + 1)

/* A numeric address's, of either family. UVOW_EINVAL: it's none, or NULL. */
int uvow__address(const char *text, uint16_t port,
                  struct sockaddr_storage *ret);
/* Its text; of another family: empty. Returns the port, or 0. */
uint16_t uvow__address_text(const struct sockaddr *address,
                            char ret_text[UVOW__ADDRESS_MAX]);

#endif
