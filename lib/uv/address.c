/* Addresses and ports, as texts and as the system has them. */
#include "address.h"

#include <string.h>

#include <uvow/error.h>

int uvow__address(const char *text, uint16_t port,
                  struct sockaddr_storage *ret) {
  memset(ret, 0, sizeof(*ret));
  if (!text)
    return UVOW_EINVAL;
  if (uv_ip4_addr(text, port, (struct sockaddr_in *)(void *)ret) == 0 ||
      uv_ip6_addr(text, port, (struct sockaddr_in6 *)(void *)ret) == 0)
    return 0;
  return UVOW_EINVAL;
}

uint16_t uvow__address_text(const struct sockaddr *address,
                            char ret_text[UVOW__ADDRESS_MAX]) {
  const struct sockaddr_in *four =
      (const struct sockaddr_in *)(const void *)address;
  const struct sockaddr_in6 *six =
      (const struct sockaddr_in6 *)(const void *)address;
  ret_text[0] = '\0';
  if (address->sa_family == AF_INET6) {
    (void)uv_ip6_name(six, ret_text, UVOW__ADDRESS_MAX);
    return ntohs(six->sin6_port);
  }
  if (address->sa_family != AF_INET)
    return 0;
  (void)uv_ip4_name(four, ret_text, UVOW__ADDRESS_MAX);
  return ntohs(four->sin_port);
}
