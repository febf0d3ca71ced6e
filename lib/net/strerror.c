/*
 * Texts of error codes: uvow's own, and libuv's from its map, since uv_strerror
 * allocates for a code it doesn't know.
 */
#include <uv.h>

#include "base/error.h"

static const char *uv_text(int code) {
  switch (code) {
#define XX(name, text)                                                         \
  case UV_##name:                                                              \
    return text;
    UV_ERRNO_MAP(XX)
#undef XX
  default:
    return "unknown error";
  }
}

static const char *uv_name(int code) {
  switch (code) {
#define XX(name, text)                                                         \
  case UV_##name:                                                              \
    return #name;
    UV_ERRNO_MAP(XX)
#undef XX
  default:
    return "UNKNOWN";
  }
}

const char *uvow_strerror(int code) {
  if (code == 0)
    return "success";
  const char *text = uvow__error_text(code);
  return text ? text : uv_text(code);
}

const char *uvow_err_name(int code) {
  if (code == 0)
    return "OK";
  const char *name = uvow__error_name(code);
  return name ? name : uv_name(code);
}

const char *uvow_version(void) {
  return UVOW_VERSION_STRING;
}
