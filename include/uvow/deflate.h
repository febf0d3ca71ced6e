#ifndef UVOW_DEFLATE_H
#define UVOW_DEFLATE_H

/**
 * @file deflate.h
 * Options of compression: permessage-deflate, RFC 7692.
 *
 * It saves bytes and costs time and memory: a connection that keeps both
 * histories holds 301 KiB once messages went both ways (262 to compress, 39 to
 * inflate), 31 KiB with windows of 11 bits, 18 KiB with 9; and nothing between
 * messages without context takeover, which takes and clears it for each.
 *
 * Compressing what an attacker can choose together with a secret, on one
 * connection, lets who sees the lengths guess the secret (CRIME, BREACH).
 */

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * How messages are compressed. All zero but size: the defaults.
 *
 * A client offers this, and what the server chose holds; a server that is
 * offered less takes what it is offered. A peer that doesn't know the
 * extension, or wants what can't be done, is talked to without compression.
 */
typedef struct uvow_deflate_options {
  /** Required. sizeof(uvow_deflate_options_t). */
  size_t size;
  /** Optional, default 256 bytes: shorter messages go uncompressed. */
  size_t threshold_bytes;
  /** Optional, default 6: from 1, the fastest, to 9, the smallest. */
  int level;
  /** Optional, default 0. 1: the server keeps no history from one message to
   * the next: it holds no memory between two, and the next one compresses less.
   * RFC 7692 7.1.1. */
  int server_no_context_takeover;
  /** Optional, default 0. 1: the same for the client. */
  int client_no_context_takeover;
  /** Optional, default 15: log2 of how many bytes of history the server looks
   * back at. From 9 to 15; a client may ask for 8. RFC 7692 7.1.2. */
  int server_max_window_bits;
  /** Optional, default 15: the same for the client. From 9 to 15; a server may
   * ask for 8; it gets it only from clients that let it ask. */
  int client_max_window_bits;
  /** Optional, default 0. 1: takes compressed messages as some senders make
   * them: without a single byte, or with the 00 00 FF FF at the end that RFC
   * 7692 7.2.1 leaves out. Else such a message ends the connection: 1002. */
  int liberal;
} uvow_deflate_options_t;

#ifdef __cplusplus
}
#endif

#endif
