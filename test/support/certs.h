#ifndef UVOW_TEST_CERTS_H
#define UVOW_TEST_CERTS_H

/*
 * Certificates that live as long as a test, or a benchmark: so this knows
 * nothing of cmocka. What OpenSSL can't do ends the program, with its reason.
 */

#include <openssl/x509.h>

#define CERT_DAY 86400L

typedef struct cert {
  X509 *x509;
  EVP_PKEY *key;
  char *pem;     /* NUL-terminated */
  char *key_pem; /* not encrypted */
} cert_t;

typedef struct cert_spec {
  const char *name;     /* its CN; NULL: none */
  const char *hosts;    /* "DNS:localhost,IP:127.0.0.1"; NULL: none */
  const cert_t *issuer; /* NULL: itself */
  int is_ca;
  int is_rsa; /* its key, instead of P-256 */
  long from;  /* s from now; 0: a day ago */
  long to;    /* s from now; 0: in ten days */
} cert_spec_t;

/* Both are to be freed. */
cert_t *cert_new(const cert_spec_t *spec);
cert_t *cert_new_ca(const char *name);
/* For localhost and 127.0.0.1; issuer NULL: self-signed. */
cert_t *cert_new_localhost(const cert_t *issuer);
/* Accepts NULL. */
void cert_free(cert_t *cert);

/* Texts to be freed: two PEMs in one; a list of the issuer's that revokes
 * `revoked` (NULL: nothing); the key, encrypted. */
char *cert_join(const char *a, const char *b);
char *cert_crl(const cert_t *issuer, const cert_t *revoked);
char *cert_locked_key(const cert_t *cert, const char *password);

#endif
