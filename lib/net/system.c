/* What the system tells that is no stream: the environment, addresses. */
#include "system.h"

#include <uv.h>

#include <uvow/error.h>

int uvow__system_env(const uvow__mem_t *mem, const char *name,
                     char **ret_value) {
  char probe[2];
  size_t size = sizeof(probe);
  *ret_value = NULL;
  int rc = uv_os_getenv(name, probe, &size);
  if (rc == UV_ENOENT || (rc == 0 && size == 0))
    return 0;
  if (rc && rc != UV_ENOBUFS)
    return rc;
  size = rc ? size : sizeof(probe); /* with its NUL */
  char *value = (char *)uvow__malloc(mem, size);
  if (!value)
    return UVOW_ENOMEM;
  rc = uv_os_getenv(name, value, &size);
  if (rc)
    uvow__free(mem, value);
  else
    *ret_value = value;
  return rc;
}

size_t uvow__system_ip(const char *text, uint8_t ret[16]) {
  if (uv_inet_pton(AF_INET, text, ret) == 0)
    return 4;
  return uv_inet_pton(AF_INET6, text, ret) == 0 ? 16 : 0;
}
