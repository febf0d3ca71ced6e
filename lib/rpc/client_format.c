/*
 * Requests and notifications whose parameters are written by a format.
 *
 * The text is made in the loop's buffer for parameters, which is empty between
 * any two calls, and is copied into the message.
 */
#include "client.h"

#include "wire/json_format.h"

/* The parameters, borrowed until write_done. */
static int write_params(uvow_client_t *client, const char *format,
                        va_list args) {
  uvow__buf_t *text = &client->loop->params;
  text->max = client->config.max_unsent_bytes;
  return uvow__json_format(text, format, args);
}

static void write_done(uvow_client_t *client) {
  uvow__buf_clear(&client->loop->params, UVOW__READ_SIZE);
}

/* There's no client: takes what there is to take. */
static void drop_params(const char *format, va_list args) {
  uvow__buf_t none;
  uvow__buf_init(&none, &uvow__mem_default, 0);
  (void)uvow__json_format(&none, format, args);
  uvow__buf_done(&none);
}

static uvow_future_t *not_sent(uvow_client_t *client, int code) {
  uvow__error_spec_t spec = {0};
  spec.code = code;
  spec.outcome = UVOW_NOT_SENT;
  return uvow_future_rejected(
      client->loop, uvow__error_make(uvow__client_mem(client), &spec));
}

static uvow_future_t *request(uvow_client_t *client, const char *method,
                              const char *format, va_list args) {
  uvow__buf_t *text = &client->loop->params;
  uvow_future_t *f;
  int rc = write_params(client, format, args);
  if (rc == 0)
    f = uvow_client_request_bytes(client, method,
                                  (const char *)uvow__buf_front(text),
                                  uvow__buf_size(text), NULL);
  else
    f = not_sent(client, rc);
  write_done(client);
  return f;
}

uvow_future_t *uvow_client_requestf(uvow_client_t *client, const char *method,
                                    const char *format, ...) {
  uvow_future_t *f = NULL;
  va_list args;
  va_start(args, format);
  if (client)
    f = request(client, method, format, args);
  else
    drop_params(format, args);
  va_end(args);
  return f;
}

static int notify(uvow_client_t *client, const char *method, const char *format,
                  va_list args) {
  uvow__buf_t *text = &client->loop->params;
  int rc = write_params(client, format, args);
  if (rc == 0)
    rc = uvow_client_notify_bytes(client, method,
                                  (const char *)uvow__buf_front(text),
                                  uvow__buf_size(text));
  write_done(client);
  return rc;
}

int uvow_client_notifyf(uvow_client_t *client, const char *method,
                        const char *format, ...) {
  int rc = UVOW_EINVAL;
  va_list args;
  va_start(args, format);
  if (client)
    rc = notify(client, method, format, args);
  else
    drop_params(format, args);
  va_end(args);
  return rc;
}
