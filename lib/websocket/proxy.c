/*
 * Which proxy leads to a server: the one in the options, or what the
 * environment says, read once and only if the options ask for it.
 *
 *   ws:  http_proxy, HTTP_PROXY, all_proxy, ALL_PROXY
 *   wss: https_proxy, HTTPS_PROXY, all_proxy, ALL_PROXY
 *   no_proxy, NO_PROXY: who is reached without
 *
 * 1. The first that is set, and not empty, counts.
 * 2. HTTP_PROXY doesn't, where REQUEST_METHOD is set: in a CGI program it's a
 *    header that the peer chose (CVE-2016-5385).
 * 3. A URL of the environment's that is wrong matters when it's needed.
 */
#include "proxy.h"

#include <string.h>

#include <uvow/error.h>

#include "base/buf.h"
#include "net/system.h"
#include "no_proxy.h"

/* A proxy's URL: http://[user[:password]@]host[:port][/], "http://" may be
 * missing. UVOW_EURL, UVOW_ESCHEME, UVOW_ENOMEM. */
static int parse(const uvow__mem_t *mem, const char *text, uvow__url_t *ret) {
  uvow__slice_t scheme = {text, strcspn(text, ":/")};
  const char *rest = strstr(text, "://");
  uvow__buf_t as_ws;
  if (rest && rest == text + scheme.len) {
    if (!uvow__slice_is_nocase(scheme, "http"))
      return UVOW_ESCHEME;
    text = rest + 3;
  }
  uvow__buf_init(&as_ws, mem, UVOW__URL_MAX);
  int rc = uvow__buf_append_text(&as_ws, "ws://");
  if (rc == 0)
    rc = uvow__buf_append_text(&as_ws, text);
  if (rc == 0)
    rc = uvow__url_parse(mem, (const char *)as_ws.data, as_ws.len, ret);
  uvow__buf_done(&as_ws);
  if (rc)
    return rc == UVOW_EOVERLOAD ? UVOW_EURL : rc;
  /* RFC 7617 2: a colon ends the user. */
  if (strcmp(ret->target, "/") == 0 && !(ret->user && strchr(ret->user, ':')))
    return 0;
  uvow__url_done(ret);
  return UVOW_EURL;
}

/* UVOW_ENOMEM; what else is wrong is in ret->code. */
static int set_proxy(uvow__proxy_t *ret, const uvow__mem_t *mem,
                     const char *text) {
  ret->set = 1;
  if (*text)
    ret->code = parse(mem, text, &ret->url);
  return ret->code == UVOW_ENOMEM ? UVOW_ENOMEM : 0;
}

/* The first of these that is set: returns new, or NULL. */
static int first_env(const uvow__mem_t *mem, const char *const names[2],
                     char **ret_value) {
  int rc = uvow__system_env(mem, names[0], ret_value);
  if (rc == 0 && !*ret_value && names[1])
    rc = uvow__system_env(mem, names[1], ret_value);
  return rc;
}

static int env_proxy(uvow__proxy_t *ret, const uvow__mem_t *mem,
                     const char *lower, const char *upper) {
  const char *const names[2] = {lower, upper};
  char *text;
  int rc = first_env(mem, names, &text);
  if (rc || !text)
    return rc;
  rc = set_proxy(ret, mem, text);
  uvow__free(mem, text);
  return rc;
}

static int read_environment(uvow__proxies_t *proxies, const uvow__mem_t *mem) {
  static const char *const bypass[2] = {"no_proxy", "NO_PROXY"};
  char *cgi;
  int rc = uvow__system_env(mem, "REQUEST_METHOD", &cgi);
  if (rc)
    return rc;
  rc = env_proxy(&proxies->plain, mem, "http_proxy", cgi ? NULL : "HTTP_PROXY");
  uvow__free(mem, cgi);
  if (rc == 0)
    rc = env_proxy(&proxies->secure, mem, "https_proxy", "HTTPS_PROXY");
  if (rc == 0)
    rc = env_proxy(&proxies->any, mem, "all_proxy", "ALL_PROXY");
  return rc ? rc : first_env(mem, bypass, &proxies->bypass);
}

int uvow__proxies_init(uvow__proxies_t *proxies, const uvow__mem_t *mem,
                       const char *text, int from_environment) {
  int rc = 0;
  if (text) {
    rc = set_proxy(&proxies->given, mem, text);
    if (rc == 0 && proxies->given.code)
      rc = UVOW_EINVAL;
  } else if (from_environment) {
    rc = read_environment(proxies, mem);
  }
  return rc;
}

void uvow__proxies_done(uvow__proxies_t *proxies, const uvow__mem_t *mem) {
  uvow__url_done(&proxies->given.url);
  uvow__url_done(&proxies->secure.url);
  uvow__url_done(&proxies->plain.url);
  uvow__url_done(&proxies->any.url);
  uvow__free(mem, proxies->bypass);
  memset(proxies, 0, sizeof(*proxies));
}

void uvow__proxies_free(uvow__proxies_t *proxies, const uvow__mem_t *mem) {
  if (proxies)
    uvow__proxies_done(proxies, mem);
  uvow__free(mem, proxies);
}

const uvow__proxy_t *uvow__proxies_choose(const uvow__proxies_t *proxies,
                                          const uvow__url_t *url) {
  if (!proxies || url->path)
    return NULL;
  const uvow__proxy_t *chosen = &proxies->given;
  if (!chosen->set) {
    chosen = url->secure ? &proxies->secure : &proxies->plain;
    chosen = chosen->set ? chosen : &proxies->any;
    if (proxies->bypass &&
        uvow__no_proxy(proxies->bypass, url->host, url->port))
      return NULL;
  }
  return chosen->code || chosen->url.host ? chosen : NULL;
}
