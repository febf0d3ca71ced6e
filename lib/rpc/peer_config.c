/* A peer's options: checked, copied, with their defaults. */
#include "peer_config.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/options.h"
#include "future/fail.h"
#include "net/loop.h"
#include "protocol/dialect.h"
#include "protocol/vars.h"

#define MIB ((size_t)1024 * 1024)

static void set_ms(uint32_t *value, uint32_t otherwise) {
  if (*value == 0)
    *value = otherwise;
}

static void set_size(size_t *value, size_t otherwise) {
  if (*value == 0)
    *value = otherwise;
}

/* What opening steps need. */
static const char *vars_fault(const uvow_peer_options_t *options, int is_server,
                              uvow__peer_fault_t *fault) {
  const uvow_protocol_t *protocol = options->protocol;
  size_t count = is_server ? protocol->accept_count : protocol->step_count;
  uvow__vars_t vars;
  size_t step;
  if (!options->vars && !count)
    return NULL;
  if (uvow__vars_init(&vars, &uvow__mem_default, options->vars))
    return "options.vars is not a JSON object";
  const char *missing = uvow__vars_missing(
      &vars, is_server ? protocol->accepts : protocol->steps, count, &step);
  if (missing)
    snprintf(fault->text, sizeof(fault->text),
             "options.vars lacks \"%.60s\", which opening step %zu of %.40s "
             "needs",
             missing, step + 1, protocol->name);
  uvow__vars_done(&vars);
  return missing ? fault->text : NULL;
}

static const char *batch_fault(const uvow_peer_options_t *options) {
  const uvow_protocol_t *protocol = options->protocol;
  if (options->max_batch && (!protocol->batches || protocol->codec))
    return "options.max_batch: the protocol has no batches";
  return NULL;
}

static const char *read_options(const uvow_peer_options_t **options,
                                uvow_peer_options_t *own) {
  uvow_trace_t trace;
  uvow_reconnect_options_t reconnect;
  if (!*options)
    return "there are no options";
  *options =
      (const uvow_peer_options_t *)uvow__options(*options, own, sizeof(*own));
  if (!*options)
    return "options " UVOW__OPTIONS_TEXT(uvow_peer_options_t);
  if (!uvow__options((*options)->trace, &trace, sizeof(trace)))
    return "options.trace " UVOW__OPTIONS_TEXT(uvow_trace_t);
  if (!uvow__options((*options)->reconnect, &reconnect, sizeof(reconnect)))
    return "options.reconnect " UVOW__OPTIONS_TEXT(uvow_reconnect_options_t);
  return (*options)->protocol ? NULL : "options.protocol is missing";
}

const char *uvow__peer_options_fault(const uvow_peer_options_t **options,
                                     uvow_peer_options_t *own, int is_server,
                                     uvow__peer_fault_t *fault) {
  fault->why = read_options(options, own);
  if (!fault->why)
    fault->why = batch_fault(*options);
  if (!fault->why)
    fault->why = vars_fault(*options, is_server, fault);
  return fault->why;
}

int uvow__peer_options_fail(uvow_loop_t *loop,
                            const uvow__peer_fault_t *fault) {
  uvow__error_spec_t spec = {0};
  if (!loop || !fault->why)
    return UVOW_EINVAL;
  spec.code = UVOW_EINVAL;
  spec.detail = (uvow__slice_t){fault->why, strlen(fault->why)};
  return uvow__fail_error(loop, uvow__error_make(uvow__loop_mem(loop), &spec));
}

uvow__peer_config_t *uvow__peer_config_new(uvow_loop_t *loop,
                                           const uvow_peer_options_t *options) {
  uvow__peer_config_t *config = (uvow__peer_config_t *)uvow__calloc(
      uvow__loop_mem(loop), sizeof(*config));
  if (!config)
    return NULL;
  uvow_peer_options_t *own = &config->options;
  config->refs = 1;
  *own = *options;
  own->methods = uvow_methods_ref(own->methods);
  own->vars = NULL; /* the caller's */
  if (options->vars)
    own->vars = config->vars = uvow__strndup(
        uvow__loop_mem(loop), options->vars, strlen(options->vars));
  if (options->vars && !config->vars) {
    uvow__peer_config_unref(config, loop);
    return NULL;
  }
  uvow_trace_t trace;
  config->trace = *(const uvow_trace_t *)uvow__options(options->trace, &trace,
                                                       sizeof(trace));
  set_ms(&own->timeout_ms, 30000);
  set_ms(&own->close_timeout_ms, 5000);
  set_ms(&own->stall_ms, 30000);
  set_size(&own->max_pending, 4194304);
  set_size(&own->max_in_flight, own->max_pending);
  set_size(&own->max_queued, own->max_pending);
  set_size(&own->max_calls, 65536);
  set_size(&own->max_call_bytes, 32 * MIB);
  set_size(&own->max_unsent_bytes, 64 * MIB);
  if (own->max_batch > UVOW__BATCH_MAX)
    own->max_batch = UVOW__BATCH_MAX;
  return config;
}

void uvow__peer_config_unref(uvow__peer_config_t *config, uvow_loop_t *loop) {
  if (!config || --config->refs)
    return;
  uvow_methods_unref(config->options.methods);
  uvow__free(uvow__loop_mem(loop), config->vars);
  uvow__free(uvow__loop_mem(loop), config);
}
