/*
 * The options of WebSockets, checked and copied.
 *
 * 1. Each is checked here and nowhere else; but for texts that stand in the
 *    handshake, which its writer judges, since headers and URL may change with
 *    each attempt.
 * 2. One that failed halfway is freed as any other.
 */
#include "config.h"

#include <string.h>

#include "future/fail.h"
#include "net/tls.h"

#define MIB ((size_t)1024 * 1024)

static uint64_t or_ms(uint32_t value, uint64_t otherwise) {
  return value ? value : otherwise;
}

/* 0 is never from here on. */
static uint64_t never_or_ms(uint32_t value, uint64_t otherwise) {
  return value == UVOW_NO_TIMEOUT ? 0 : or_ms(value, otherwise);
}

static size_t or_size(size_t value, size_t otherwise) {
  return value ? value : otherwise;
}

static int copy_text(const uvow__mem_t *mem, const char *text, char **ret) {
  if (!text)
    return 0;
  *ret = uvow__strdup(mem, text);
  return *ret ? 0 : UVOW_ENOMEM;
}

static int copy_texts(uvow_loop_t *loop, const char *name,
                      const char *const *texts, size_t count,
                      uvow__texts_t *ret) {
  const uvow__mem_t *mem = uvow__loop_mem(loop);
  size_t size;
  int rc = 0;
  if (count == 0)
    return 0;
  if (!texts || uvow__size_mul(count, sizeof(char *), &size))
    return uvow__fail(loop, UVOW_EINVAL, name, "must have so many texts");
  ret->at = (char **)uvow__calloc(mem, size);
  if (!ret->at)
    return UVOW_ENOMEM;
  ret->count = count;
  for (size_t i = 0; rc == 0 && i < count; i++)
    rc = texts[i] ? copy_text(mem, texts[i], &ret->at[i])
                  : uvow__fail(loop, UVOW_EINVAL, name, "must have no NULL");
  return rc;
}

static void texts_done(uvow__texts_t *texts, const uvow__mem_t *mem) {
  for (size_t i = 0; i < texts->count; i++)
    uvow__free(mem, texts->at[i]);
  uvow__free(mem, texts->at);
}

int uvow__texts_add(uvow__texts_t *texts, const uvow__mem_t *mem,
                    const char *text) {
  char *copy = uvow__strdup(mem, text);
  char **at = (char **)uvow__realloc(mem, texts->at,
                                     (texts->count + 1) * sizeof(char *));
  if (at)
    texts->at = at;
  if (!copy || !at) {
    uvow__free(mem, copy);
    return UVOW_ENOMEM;
  }
  at[texts->count++] = copy;
  return 0;
}

int uvow__texts_have(const uvow__texts_t *texts, uvow__slice_t text) {
  for (size_t i = 0; i < texts->count; i++)
    if (strcmp(texts->at[i], "*") == 0 ||
        uvow__slice_is_nocase(text, texts->at[i]))
      return 1;
  return 0;
}

/* What both kinds of options have. */
typedef struct common {
  uvow_tls_t *tls;
  const char *const *subprotocols;
  size_t subprotocol_count;
  const uvow_deflate_options_t *deflate;
  size_t max_message_bytes;
  size_t max_unsent_bytes;
  uint32_t keepalive_s;
  uint32_t open_ms;
  uint32_t close_ms;
  uint32_t ping_ms;
  uint32_t dead_ms;
  uint32_t message_ms;
  int is_server;
} common_t;

static int set_common(uvow__ws_config_t *config, const common_t *options) {
  uvow_loop_t *loop = config->loop;
  if (options->keepalive_s > UVOW__KEEPALIVE_MAX_S)
    return uvow__fail_number(loop, UVOW_EINVAL, "options.tcp_keepalive_s",
                             options->keepalive_s, "at most 32767");
  if (options->tls && !uvow__tls_fits(options->tls, loop, options->is_server))
    return uvow__fail(loop, UVOW_EINVAL, "options.tls",
                      "must be of this loop, and for this role");
  config->tls = uvow_tls_ref(options->tls);
  config->keepalive_s = options->keepalive_s;
  config->max_message = or_size(options->max_message_bytes, 16 * MIB);
  config->max_unsent = or_size(options->max_unsent_bytes, 64 * MIB);
  config->open_ms = or_ms(options->open_ms, 10000);
  config->close_ms = or_ms(options->close_ms, 5000);
  config->ping_ms = never_or_ms(options->ping_ms, 30000);
  config->dead_ms = never_or_ms(options->dead_ms, 75000);
  config->message_ms = never_or_ms(options->message_ms, 30000);
  int rc = uvow__deflate_configure(&config->deflate, options->deflate,
                                   options->is_server);
  if (rc == UVOW_EINVAL)
    return uvow__fail(loop, rc, "options.deflate",
                      "must be a uvow_deflate_options_t, and in its ranges");
  return rc ? rc
            : copy_texts(loop, "options.subprotocols", options->subprotocols,
                         options->subprotocol_count, &config->subprotocols);
}

static int set_proxies(uvow__ws_config_t *config,
                       const uvow_websocket_options_t *options) {
  const uvow__mem_t *mem = uvow__loop_mem(config->loop);
  if (!options->proxy && !options->proxy_from_environment)
    return 0;
  uvow__proxies_t *proxies =
      (uvow__proxies_t *)uvow__calloc(mem, sizeof(*proxies));
  if (!proxies)
    return UVOW_ENOMEM;
  config->connect.proxies = proxies;
  int rc = uvow__proxies_init(proxies, mem, options->proxy,
                              options->proxy_from_environment);
  if (rc == UVOW_EINVAL)
    uvow__fail(config->loop, rc, "options.proxy", "must be http://host[:port]");
  return rc;
}

static int set_connect(uvow__ws_config_t *config,
                       const uvow_websocket_options_t *options) {
  const uvow__mem_t *mem = uvow__loop_mem(config->loop);
  uvow__connect_config_t *own = &config->connect;
  common_t common = {options->tls,
                     options->subprotocols,
                     options->subprotocol_count,
                     options->deflate,
                     options->max_message_bytes,
                     options->max_unsent_bytes,
                     options->tcp_keepalive_s,
                     options->connect_timeout_ms,
                     options->close_timeout_ms,
                     options->ping_ms,
                     options->dead_ms,
                     options->message_timeout_ms,
                     0};
  int rc = set_common(config, &common);
  if (rc)
    return rc;
  rc = set_proxies(config, options);
  if (rc == 0)
    rc = copy_text(mem, options->bearer, &own->bearer);
  return rc ? rc : copy_text(mem, options->origin, &own->origin);
}

static int is_loopback(const uvow_listener_options_t *options) {
  const char *host = options->host ? options->host : "127.0.0.1";
  return !options->socket_path &&
         (strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0);
}

static int set_listen(uvow__ws_config_t *config,
                      const uvow_listener_options_t *options) {
  uvow__listen_config_t *own = config->listen;
  common_t common = {options->tls,
                     options->subprotocols,
                     options->subprotocol_count,
                     options->deflate,
                     options->max_message_bytes,
                     options->max_unsent_bytes,
                     options->tcp_keepalive_s,
                     options->handshake_timeout_ms,
                     options->close_timeout_ms,
                     options->ping_ms,
                     options->dead_ms,
                     options->message_timeout_ms,
                     1};
  int rc = set_common(config, &common);
  config->quota.max = or_size(options->server_max_bytes, 1024 * MIB);
  own->is_loopback = is_loopback(options);
  own->max_peers = or_size(options->max_peers, 10000);
  own->max_peers_per_address =
      or_size(options->max_peers_per_address, own->max_peers);
  own->idle_ms = never_or_ms(options->idle_ms, 0);
  if (rc == 0)
    rc = copy_texts(config->loop, "options.origins", options->origins,
                    options->origin_count, &own->origins);
  return rc ? rc
            : copy_texts(config->loop, "options.hosts", options->hosts,
                         options->host_count, &own->hosts);
}

static uvow__ws_config_t *config_new(uvow_loop_t *loop, int listens) {
  size_t size =
      sizeof(uvow__ws_config_t) + (listens ? sizeof(uvow__listen_config_t) : 0);
  uvow__ws_config_t *config =
      (uvow__ws_config_t *)uvow__calloc(uvow__loop_mem(loop), size);
  if (!config)
    return NULL;
  if (listens)
    config->listen = (uvow__listen_config_t *)(void *)(config + 1);
  config->loop = loop;
  config->refs = 1;
  return config;
}

/* Gives it away, or frees it. */
static int deliver(uvow__ws_config_t *config, int rc,
                   uvow__ws_config_t **ret_config) {
  if (rc)
    uvow__ws_config_unref(config);
  else
    *ret_config = config;
  return rc;
}

int uvow__ws_config_connect(uvow_loop_t *loop,
                            const uvow_websocket_options_t *options,
                            uvow__ws_config_t **ret_config) {
  uvow_websocket_options_t own;
  options = UVOW__OPTIONS(loop, options, &own, uvow_websocket_options_t);
  if (!options)
    return UVOW_EINVAL;
  uvow__ws_config_t *config = config_new(loop, 0);
  if (!config)
    return UVOW_ENOMEM;
  return deliver(config, set_connect(config, options), ret_config);
}

int uvow__ws_config_listen(uvow_loop_t *loop,
                           const uvow_listener_options_t *options,
                           uvow__ws_config_t **ret_config) {
  uvow_listener_options_t own;
  options = UVOW__OPTIONS(loop, options, &own, uvow_listener_options_t);
  if (!options)
    return UVOW_EINVAL;
  if (options->socket_path && (options->host || options->port))
    return uvow__fail(loop, UVOW_EINVAL, "options.socket_path",
                      "excludes host and port");
  uvow__ws_config_t *config = config_new(loop, 1);
  if (!config)
    return UVOW_ENOMEM;
  return deliver(config, set_listen(config, options), ret_config);
}

uvow__ws_config_t *uvow__ws_config_ref(uvow__ws_config_t *config) {
  config->refs++;
  return config;
}

void uvow__ws_config_unref(uvow__ws_config_t *config) {
  if (!config || --config->refs)
    return;
  const uvow__mem_t *mem = uvow__loop_mem(config->loop);
  uvow_tls_unref(config->tls);
  texts_done(&config->subprotocols, mem);
  uvow__proxies_free(config->connect.proxies, mem);
  uvow__free(mem, config->connect.bearer);
  uvow__free(mem, config->connect.origin);
  if (config->listen) {
    texts_done(&config->listen->origins, mem);
    texts_done(&config->listen->hosts, mem);
  }
  uvow__free(mem, config);
}
