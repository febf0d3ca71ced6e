/* A client's options, checked, with their defaults, and copied. */
#include "client.h"

#include <string.h>

#define MIB ((size_t)1024 * 1024)

static uint32_t or_default_ms(uint32_t value, uint32_t otherwise) {
  return value ? value : otherwise;
}

/* 0 is never from here on. */
static uint32_t never_or_ms(uint32_t value, uint32_t otherwise) {
  return value == UVOW_NO_TIMEOUT ? 0 : or_default_ms(value, otherwise);
}

static size_t or_default(size_t value, size_t otherwise) {
  return value ? value : otherwise;
}

static char *copy_text(const uvow__mem_t *mem, const char *text) {
  return uvow__strndup(mem, text, strlen(text));
}

static int copy_optional(const uvow__mem_t *mem, const char *text, char **ret) {
  *ret = text ? copy_text(mem, text) : NULL;
  return text && !*ret ? UVOW_ENOMEM : 0;
}

static int copy_subprotocols(uvow__client_config_t *config,
                             const uvow__mem_t *mem,
                             const uvow_client_options_t *options) {
  size_t size;
  if (options->subprotocol_count == 0)
    return 0;
  if (!options->subprotocols)
    return UVOW_EINVAL;
  if (uvow__size_mul(options->subprotocol_count, sizeof(char *), &size))
    return UVOW_EINVAL;
  config->subprotocols = (char **)uvow__calloc(mem, size);
  if (!config->subprotocols)
    return UVOW_ENOMEM;
  config->subprotocol_count = options->subprotocol_count;
  for (size_t i = 0; i < config->subprotocol_count; i++) {
    if (!options->subprotocols[i])
      return UVOW_EINVAL;
    config->subprotocols[i] = copy_text(mem, options->subprotocols[i]);
    if (!config->subprotocols[i])
      return UVOW_ENOMEM;
  }
  return 0;
}

static void free_headers(const uvow__mem_t *mem,
                         uvow__handshake_header_t *headers, size_t count) {
  for (size_t i = 0; headers && i < count; i++) {
    uvow__free(mem, (char *)(uintptr_t)headers[i].name);
    uvow__free(mem, (char *)(uintptr_t)headers[i].value);
  }
  uvow__free(mem, headers);
}

static int copy_header(const uvow__mem_t *mem, const uvow_header_t *header,
                       uvow__handshake_header_t *ret) {
  if (!header->name || !header->value)
    return UVOW_EINVAL;
  ret->name = copy_text(mem, header->name);
  ret->value = copy_text(mem, header->value);
  return ret->name && ret->value ? 0 : UVOW_ENOMEM;
}

static int copy_headers(const uvow__mem_t *mem, const uvow_header_t *headers,
                        size_t count, uvow__handshake_header_t **ret) {
  size_t size;
  int rc = 0;
  *ret = NULL;
  if (count == 0)
    return 0;
  if (!headers || uvow__size_mul(count, sizeof(**ret), &size))
    return UVOW_EINVAL;
  uvow__handshake_header_t *copies =
      (uvow__handshake_header_t *)uvow__calloc(mem, size);
  if (!copies)
    return UVOW_ENOMEM;
  for (size_t i = 0; rc == 0 && i < count; i++)
    rc = copy_header(mem, &headers[i], &copies[i]);
  if (rc)
    free_headers(mem, copies, count);
  else
    *ret = copies;
  return rc;
}

/* A URL that the handshake can say. */
static int parse_url(const uvow__mem_t *mem, const char *text,
                     uvow__url_t *ret) {
  int rc = uvow__url_parse(mem, text, strlen(text), ret);
  if (rc == 0 && uvow__handshake_check_target(ret->target, ret->authority,
                                              ret->user, ret->password)) {
    uvow__url_done(ret);
    rc = UVOW_EURL;
  }
  return rc;
}

int uvow__target_set(uvow__target_t *target, const uvow__mem_t *mem,
                     const char *url, const uvow_header_t *headers,
                     size_t count) {
  uvow__url_t parsed;
  uvow__handshake_header_t *copies;
  memset(&parsed, 0, sizeof(parsed));
  int rc = url ? parse_url(mem, url, &parsed) : 0;
  if (rc)
    return rc;
  rc = copy_headers(mem, headers, headers ? count : 0, &copies);
  if (rc) {
    uvow__url_done(&parsed);
    return rc;
  }
  if (url) {
    uvow__url_done(&target->url);
    target->url = parsed;
    target->url_code = 0;
  }
  if (headers) {
    free_headers(mem, target->headers, target->header_count);
    target->headers = copies;
    target->header_count = count;
  }
  return 0;
}

/* A URL that can't be read is no error yet: see url_code. */
static int set_target(uvow__client_config_t *config, const uvow__mem_t *mem,
                      const uvow_client_options_t *options) {
  uvow__target_t *target = &config->target;
  int rc = uvow__target_set(target, mem, options->url, options->headers,
                            options->header_count);
  if (rc != UVOW_EURL && rc != UVOW_ESCHEME)
    return rc;
  target->url_code = rc;
  return uvow__target_set(target, mem, NULL, options->headers,
                          options->header_count);
}

static int set_reconnect(uvow__client_config_t *config,
                         const uvow_client_options_t *options) {
  uvow_reconnect_options_t *own = &config->reconnect;
  if (!options->reconnect)
    return 0;
  if (options->reconnect->size != sizeof(*own))
    return UVOW_EINVAL;
  *own = *options->reconnect;
  if (own->base_ms == 0)
    own->base_ms = 500;
  if (own->max_ms == 0)
    own->max_ms = 30000;
  if (own->max_retry_after_ms == 0)
    own->max_retry_after_ms = 300000;
  if (own->max_resends == 0)
    own->max_resends = 1;
  return 0;
}

int uvow__client_config_init(uvow__client_config_t *config,
                             const uvow__mem_t *mem,
                             const uvow_client_options_t *options) {
  config->timeout_ms = or_default_ms(options->timeout_ms, 30000);
  config->connect_timeout_ms =
      or_default_ms(options->connect_timeout_ms, 10000);
  config->close_timeout_ms = or_default_ms(options->close_timeout_ms, 5000);
  config->max_message_bytes = or_default(options->max_message_bytes, 16 * MIB);
  config->max_unsent_bytes = or_default(options->max_unsent_bytes, 64 * MIB);
  config->max_pending = or_default(options->max_pending, 4194304);
  config->max_in_flight =
      or_default(options->max_in_flight, config->max_pending);
  config->max_queued = or_default(options->max_queued, config->max_pending);
  config->ping_ms = never_or_ms(options->ping_ms, 30000);
  config->dead_ms = never_or_ms(options->dead_ms, 75000);
  config->send_cancel = options->send_cancel;
  config->count_unanswered = options->count_unanswered;
  config->keepalive_s = options->tcp_keepalive_s;
  config->renew = options->renew;
  if (options->trace)
    config->trace = *options->trace;
  if ((options->header_count && !options->headers) ||
      options->tcp_keepalive_s > UVOW__KEEPALIVE_MAX_S)
    return UVOW_EINVAL;
  int rc = set_target(config, mem, options);
  if (rc == 0)
    rc = set_reconnect(config, options);
  if (rc == 0)
    rc = uvow__proxies_init(&config->proxies, mem, options->proxy,
                            options->proxy_from_environment);
  if (rc == 0)
    rc = uvow__deflate_configure(&config->deflate, options->deflate, 0);
  if (rc == 0)
    rc = copy_optional(mem, options->bearer, &config->bearer);
  if (rc == 0)
    rc = copy_optional(mem, options->origin, &config->origin);
  return rc ? rc : copy_subprotocols(config, mem, options);
}

void uvow__client_config_done(uvow__client_config_t *config,
                              const uvow__mem_t *mem) {
  uvow__url_done(&config->target.url);
  uvow__proxies_done(&config->proxies, mem);
  free_headers(mem, config->target.headers, config->target.header_count);
  for (size_t i = 0; i < config->subprotocol_count; i++)
    uvow__free(mem, config->subprotocols[i]);
  uvow__free(mem, config->subprotocols);
  uvow__free(mem, config->bearer);
  uvow__free(mem, config->origin);
}
