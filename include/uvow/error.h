#ifndef UVOW_ERROR_H
#define UVOW_ERROR_H

/**
 * @file error.h
 * Error codes, and errors: immutable, counted, and with a cause.
 *
 * A code is 0 or negative. libuv's codes pass through as they are; uvow's own
 * start at -5000.
 */

#include "value.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Calls XX(NAME, code, text) for each code of UVOW_E*. */
#define UVOW_ERROR_MAP(XX)                                                     \
  XX(EINVAL, -5001, "invalid argument")                                        \
  XX(ENOMEM, -5002, "out of memory")                                           \
  XX(ECANCELED, -5003, "canceled")                                             \
  XX(ETIMEDOUT, -5004, "deadline exceeded")                                    \
  XX(EBROKEN, -5005, "promise dropped before it was settled")                  \
  XX(EALREADY, -5006, "already settled")                                       \
  XX(ECYCLE, -5007, "a future can't wait for itself")                          \
  XX(ETYPE, -5008, "value has another type")                                   \
  XX(EPAYLOAD, -5009, "payload is not valid JSON")                             \
  XX(EOVERLOAD, -5010, "a limit is reached")                                   \
  XX(ECLOSED, -5011, "closed")                                                 \
  XX(EURL, -5012, "malformed URL")                                             \
  XX(ESCHEME, -5013, "URL scheme not supported")                               \
  XX(EHANDSHAKE, -5014, "WebSocket handshake refused")                         \
  XX(EHTTP, -5015, "malformed HTTP in the handshake")                          \
  XX(EACCEPT, -5016, "Sec-WebSocket-Accept does not match the key")            \
  XX(EPROTO, -5017, "WebSocket protocol violated by the peer")                 \
  XX(EUTF8, -5018, "text is not valid UTF-8")                                  \
  XX(ETOOBIG, -5019, "message or frame over the limit")                        \
  XX(EENVELOPE, -5020, "malformed envelope")                                   \
  XX(EREMOTE, -5021, "the peer answered with an error")                        \
  XX(ELOST, -5022, "connection lost")                                          \
  XX(EMETHOD, -5023, "no such method")                                         \
  XX(EALL, -5024, "every future was rejected")                                 \
  XX(ETLS, -5025, "TLS failed")                                                \
  XX(ECERT, -5026, "certificate not accepted")                                 \
  XX(EPROXY, -5027, "the proxy can't be used")                                 \
  XX(EFIBER, -5028, "only within a fiber")                                     \
  XX(EPROTOCOL, -5029, "the protocol can't work")                              \
  XX(EBUSY, -5030, "the stream is read by each")

/** The error codes of UVOW_ERROR_MAP; those of libuv are UV_E*. */
enum uvow_error_code {
#define UVOW_XX(name, code, text) UVOW_##name = (code),
  UVOW_ERROR_MAP(UVOW_XX)
#undef UVOW_XX
      UVOW_ERROR_LAST = -5031
};

/** What is known of a request that failed (contract R2). */
typedef enum uvow_outcome {
  /** Not about a request. */
  UVOW_OUTCOME_NONE = 0,
  /** No byte of the request left: it's safe to send it again. */
  UVOW_NOT_SENT = 1,
  /** It left, and no answer came: the peer may have acted on it. */
  UVOW_MAYBE_EXECUTED = 2,
  /** The peer answered: the error is its own, or in its answer. */
  UVOW_ANSWERED = 3
} uvow_outcome_t;

/**
 * The text of an error code: uvow's own or libuv's.
 *
 * Returns borrowed static text, "unknown error" for an unknown code; never
 * NULL. Any thread. Since 0.1.
 */
UVOW_API const char *uvow_strerror(int code);

/**
 * The name of an error code, as "UVOW_ECANCELED" or "ECONNREFUSED".
 *
 * Returns borrowed static text, "UNKNOWN" for an unknown code; never NULL. Any
 * thread. Since 0.1.
 */
UVOW_API const char *uvow_err_name(int code);

/**
 * Makes an error with a code and a detail in your own words.
 *
 * `code` is any negative number; `detail` may be NULL and is copied. Returns
 * new, never NULL: out of memory (or a code that isn't negative) gives a
 * static error that says so. Loop thread. Since 0.1.
 */
UVOW_NEW uvow_error_t *uvow_error_new(uvow_loop_t *loop, int code,
                                      const char *detail);

/**
 * As uvow_error_new, and it carries a value of yours (see uvow_error_value):
 * takes it. Its destroy runs once, from the task queue, after the error's last
 * owner has gone. Returns new, never NULL: out of memory (or the loop is
 * closed) gives the static error of UVOW_ENOMEM, and releases the value.
 * Since 0.2.
 */
UVOW_NEW uvow_error_t *uvow_error_new_value(uvow_loop_t *loop, int code,
                                            const char *detail,
                                            uvow_value_t value);

/**
 * Makes the error that a method answers its caller with.
 *
 * The peer sees `peer_code`, `message` (copied; UTF-8) and `data`: JSON text
 * of `data_len` bytes, or NULL. Returns new, never NULL, code UVOW_EREMOTE.
 * Loop thread. Since 0.1.
 */
UVOW_NEW uvow_error_t *uvow_error_new_peer(uvow_loop_t *loop, int64_t peer_code,
                                           const char *message,
                                           const char *data, size_t data_len);

/**
 * As uvow_error_new_peer, with a code that is text: WAMP's URIs
 * ("com.example.denied"), Home Assistant's ("not_found"). Protocols whose codes
 * have a place say it in place of the number. NULL or "": a code of 0. Since
 * 0.2.
 */
UVOW_NEW uvow_error_t *uvow_error_new_peer_text(uvow_loop_t *loop,
                                                const char *peer_code,
                                                const char *message,
                                                const char *data,
                                                size_t data_len);

/** One more owner. Accepts NULL. Returns its argument. Loop thread. */
UVOW_NEW uvow_error_t *uvow_error_ref(const uvow_error_t *error);
/** One owner less; the last one frees it. Accepts NULL. Loop thread. */
UVOW_API void uvow_error_unref(uvow_error_t *error);

/** The code: negative. Borrows. */
UVOW_API int uvow_error_code(const uvow_error_t *error);
/**
 * A sentence for people: the code's text, or what was given as detail.
 * Returns borrowed (valid while the error is). Never NULL.
 */
UVOW_API const char *uvow_error_message(const uvow_error_t *error);
/** What is known of the request, see uvow_outcome_t. Borrows. */
UVOW_API uvow_outcome_t uvow_error_outcome(const uvow_error_t *error);
/** The value it was made with: returns borrowed (valid while the error is), or
 * NULL: none. Since 0.2. */
UVOW_API const uvow_value_t *uvow_error_value(const uvow_error_t *error);
/**
 * What led to it, the first cause where there are several: returns borrowed
 * (valid while the error is), or NULL. The message of a request's error has its
 * cause's text in it, behind what became of the connection; the rest (headers,
 * a body, other causes) is in the cause alone.
 */
UVOW_API const uvow_error_t *uvow_error_cause(const uvow_error_t *error);
/** How many causes it has. UVOW_EALL has one for each future. Borrows. */
UVOW_API size_t uvow_error_cause_count(const uvow_error_t *error);
/**
 * The cause number i, from 0. Returns borrowed (valid while the error is), or
 * NULL: there are not so many. Since 0.1.
 */
UVOW_API const uvow_error_t *uvow_error_nth_cause(const uvow_error_t *error,
                                                  size_t i);

/**
 * The peer's own error code, as it stood in its answer.
 *
 * 0 where it sent none, or one that is no integer: then see
 * uvow_error_peer_code_text. Borrows. Since 0.1.
 */
UVOW_API int64_t uvow_error_peer_code(const uvow_error_t *error);
/** The peer's code where it is text ("unknown_command"), or NULL. Borrowed. */
UVOW_API const char *uvow_error_peer_code_text(const uvow_error_t *error);
/** The peer's message, unescaped, or NULL. Borrowed. */
UVOW_API const char *uvow_error_peer_message(const uvow_error_t *error);
/**
 * Bytes that belong to the error: the `data` of a peer's error (JSON text), the
 * payload that isn't JSON (UVOW_EPAYLOAD), the body of a refused handshake
 * (UVOW_EHANDSHAKE): at most 4 KiB of it, and what came within
 * connect_timeout_ms. A request that fails for this has it in its cause.
 *
 * Writes the length to ret_len. Returns borrowed bytes, or NULL.
 */
UVOW_API const char *uvow_error_data(const uvow_error_t *error,
                                     size_t *ret_len);
/**
 * A header of the response that refused the handshake (UVOW_EHANDSHAKE): the
 * first of this name, which compares without case. The error may be that of
 * uvow_peer_ready, or of a request that had it as its cause.
 *
 * Writes the length to ret_len (may be NULL). Returns borrowed bytes, which no
 * NUL ends (valid while the error is), or NULL: there is none within the first
 * 8 KiB of the response's head. Loop thread. Since 0.1.
 */
UVOW_API const char *uvow_error_header(const uvow_error_t *error,
                                       const char *name, size_t *ret_len);
/**
 * HTTP status of a refused handshake or of a proxy's, close code of a lost
 * connection, the peer's alert (RFC 8446 6) of UVOW_ETLS, OpenSSL's X509_V_ERR_
 * number of UVOW_ECERT; or 0.
 */
UVOW_API int uvow_error_status(const uvow_error_t *error);

#ifdef __cplusplus
}
#endif

#endif
