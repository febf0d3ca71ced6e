/* A client's options, checked, with their defaults, and copied. */
#include "client.h"

#include <string.h>

#define MIB ((size_t)1024 * 1024)

static uint32_t or_default_ms(uint32_t value, uint32_t otherwise) {
  return value ? value : otherwise;
}

static size_t or_default(size_t value, size_t otherwise) {
  return value ? value : otherwise;
}

static char *copy_text(const uvow__mem_t *mem, const char *text) {
  return uvow__strndup(mem, text, strlen(text));
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

static int copy_headers(uvow__client_config_t *config, const uvow__mem_t *mem,
                        const uvow_client_options_t *options) {
  size_t size;
  if (options->header_count == 0)
    return 0;
  if (!options->headers)
    return UVOW_EINVAL;
  if (uvow__size_mul(options->header_count, sizeof(*config->headers), &size))
    return UVOW_EINVAL;
  config->headers = (uvow__handshake_header_t *)uvow__calloc(mem, size);
  if (!config->headers)
    return UVOW_ENOMEM;
  config->header_count = options->header_count;
  for (size_t i = 0; i < config->header_count; i++) {
    const uvow_header_t *header = &options->headers[i];
    if (!header->name || !header->value)
      return UVOW_EINVAL;
    config->headers[i].name = copy_text(mem, header->name);
    config->headers[i].value = copy_text(mem, header->value);
    if (!config->headers[i].name || !config->headers[i].value)
      return UVOW_ENOMEM;
  }
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
  config->url_code =
      uvow__url_parse(mem, options->url, strlen(options->url), &config->url);
  if (config->url_code == UVOW_ENOMEM)
    return UVOW_ENOMEM;
  if (config->url_code == 0 && config->url.secure)
    config->url_code = UVOW_ESCHEME; /* wss needs the tls room */
  int rc = copy_subprotocols(config, mem, options);
  return rc ? rc : copy_headers(config, mem, options);
}

void uvow__client_config_done(uvow__client_config_t *config,
                              const uvow__mem_t *mem) {
  uvow__url_done(&config->url);
  for (size_t i = 0; i < config->subprotocol_count; i++)
    uvow__free(mem, config->subprotocols[i]);
  uvow__free(mem, config->subprotocols);
  for (size_t i = 0; i < config->header_count; i++) {
    uvow__free(mem, (char *)(uintptr_t)config->headers[i].name);
    uvow__free(mem, (char *)(uintptr_t)config->headers[i].value);
  }
  uvow__free(mem, config->headers);
}
