/* What leads from here to a server: a socket, a proxy's tunnel on it, TLS on
 * that. Each io keeps what it needs, so the transports live for the call. */
#include "dial.h"

#include "base/error.h"
#include "future/fail.h"
#include "tunnel.h"

/* Through a proxy, if there's one for this URL. */
static int pass_proxy(const uvow__ws_config_t *config, const uvow__url_t *url,
                      uvow__tunnel_transport_t *tunnel,
                      const uvow__transport_t **transport,
                      uvow_error_t **ret_error) {
  const uvow__proxy_t *proxy =
      uvow__proxies_choose(config->connect.proxies, url);
  if (!proxy)
    return 0;
  if (proxy->code) {
    uvow__error_spec_t spec = {0};
    spec.code = UVOW_EPROXY;
    spec.detail = UVOW__SLICE(
        "what the environment names as proxy isn't one "
        "that uvow knows: http://host:port");
    *ret_error = uvow__error_make(uvow__loop_mem(config->loop), &spec);
    return UVOW_EPROXY;
  }
  uvow__tunnel_transport_init(tunnel, *transport, &proxy->url);
  *transport = &tunnel->transport;
  return 0;
}

/* The context for wss. The loop's own is kept from the first use on. */
static int find_tls(uvow__ws_config_t *config, uvow_error_t **ret_error) {
  if (config->tls)
    return 0;
  return uvow__tls_default(config->loop, &config->tls, ret_error);
}

int uvow__dial(uvow__ws_config_t *config, const uvow__target_t *target,
               const uvow__transport_t *transport,
               const uvow__connection_callbacks_t *callbacks, void *ctx,
               uvow__connection_t **ret_connection, uvow_error_t **ret_error) {
  uvow__tunnel_transport_t tunnel;
  uvow__tls_transport_t tls;
  int rc = target->url_code;
  if (rc == 0)
    rc = pass_proxy(config, &target->url, &tunnel, &transport, ret_error);
  if (rc == 0 && target->url.secure)
    rc = find_tls(config, ret_error);
  if (rc)
    return rc;
  if (target->url.secure) {
    uvow__tls_transport_init(&tls, transport, config->tls);
    transport = &tls.transport;
  }
  rc = uvow__connection_open(config, target, transport, callbacks, ctx,
                             ret_connection);
  if (rc == UVOW_EINVAL)
    uvow__fail(config->loop, rc, "a header, subprotocol, bearer or origin",
               "must be what HTTP can say, and not the handshake's own");
  return rc;
}
