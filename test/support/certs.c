/* Makes certificates: P-256 or RSA, SHA-256, whatever is wrong with them. */
#include "certs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#define OK(call) must((call) ? 1 : 0, #call)

static void must(int ok, const char *call) {
  if (ok)
    return;
  fprintf(stderr, "%s failed\n", call);
  ERR_print_errors_fp(stderr);
  exit(1);
}

/* What was written to a BIO, as text: takes it. */
static char *text_of(BIO *bio) {
  char *bytes;
  long len = BIO_get_mem_data(bio, &bytes);
  char *text = (char *)malloc((size_t)len + 1);
  OK(text);
  memcpy(text, bytes, (size_t)len);
  text[len] = '\0';
  BIO_free(bio);
  return text;
}

static void add_extension(X509 *x509, X509 *issuer, int nid,
                          const char *value) {
  X509V3_CTX ctx;
  X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
  OK(extension);
  OK(X509_add_ext(x509, extension, -1));
  X509_EXTENSION_free(extension);
}

static void set_serial(X509 *x509) {
  BIGNUM *number = BN_new();
  OK(number);
  OK(BN_rand(number, 64, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY));
  OK(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)));
  BN_free(number);
}

static void set_names(X509 *x509, const cert_spec_t *spec) {
  X509_NAME *name = X509_NAME_new();
  OK(name);
  if (spec->name)
    OK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                  (const unsigned char *)spec->name, -1, -1,
                                  0));
  OK(X509_set_subject_name(x509, name));
  OK(X509_set_issuer_name(
      x509, spec->issuer ? X509_get_subject_name(spec->issuer->x509) : name));
  X509_NAME_free(name);
}

cert_t *cert_new(const cert_spec_t *spec) {
  cert_t *cert = (cert_t *)calloc(1, sizeof(*cert));
  OK(cert);
  X509 *x509 = cert->x509 = X509_new();
  cert->key = spec->is_rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
  OK(x509);
  OK(cert->key);
  OK(X509_set_version(x509, X509_VERSION_3));
  set_serial(x509);
  set_names(x509, spec);
  OK(X509_gmtime_adj(X509_getm_notBefore(x509),
                     spec->from ? spec->from : -CERT_DAY));
  OK(X509_gmtime_adj(X509_getm_notAfter(x509),
                     spec->to ? spec->to : 10 * CERT_DAY));
  OK(X509_set_pubkey(x509, cert->key));
  X509 *issuer = spec->issuer ? spec->issuer->x509 : x509;
  if (spec->is_ca)
    add_extension(x509, issuer, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(x509, issuer, NID_subject_key_identifier, "hash");
  if (spec->issuer)
    add_extension(x509, issuer, NID_authority_key_identifier, "keyid");
  if (spec->hosts)
    add_extension(x509, issuer, NID_subject_alt_name, spec->hosts);
  OK(X509_sign(x509, spec->issuer ? spec->issuer->key : cert->key,
               EVP_sha256()));
  BIO *bio = BIO_new(BIO_s_mem());
  OK(bio);
  OK(PEM_write_bio_X509(bio, x509));
  cert->pem = text_of(bio);
  bio = BIO_new(BIO_s_mem());
  OK(bio);
  OK(PEM_write_bio_PrivateKey(bio, cert->key, NULL, NULL, 0, NULL, NULL));
  cert->key_pem = text_of(bio);
  return cert;
}

cert_t *cert_new_ca(const char *name) {
  cert_spec_t spec = {0};
  spec.name = name;
  spec.is_ca = 1;
  return cert_new(&spec);
}

cert_t *cert_new_localhost(const cert_t *issuer) {
  cert_spec_t spec = {0};
  spec.name = "localhost";
  spec.hosts = "DNS:localhost,IP:127.0.0.1,IP:::1";
  spec.issuer = issuer;
  return cert_new(&spec);
}

void cert_free(cert_t *cert) {
  if (!cert)
    return;
  X509_free(cert->x509);
  EVP_PKEY_free(cert->key);
  free(cert->pem);
  free(cert->key_pem);
  free(cert);
}

char *cert_join(const char *a, const char *b) {
  size_t size = strlen(a) + strlen(b) + 1;
  char *text = (char *)malloc(size);
  OK(text);
  snprintf(text, size, "%s%s", a, b);
  return text;
}

char *cert_crl(const cert_t *issuer, const cert_t *revoked) {
  X509_CRL *crl = X509_CRL_new();
  ASN1_TIME *time = X509_gmtime_adj(NULL, -CERT_DAY);
  OK(crl);
  OK(time);
  OK(X509_CRL_set_version(crl, X509_CRL_VERSION_2));
  OK(X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->x509)));
  OK(X509_CRL_set1_lastUpdate(crl, time));
  if (revoked) {
    X509_REVOKED *entry = X509_REVOKED_new();
    OK(entry);
    OK(X509_REVOKED_set_serialNumber(entry,
                                     X509_get_serialNumber(revoked->x509)));
    OK(X509_REVOKED_set_revocationDate(entry, time));
    OK(X509_CRL_add0_revoked(crl, entry));
  }
  OK(X509_gmtime_adj(time, CERT_DAY));
  OK(X509_CRL_set1_nextUpdate(crl, time));
  ASN1_TIME_free(time);
  OK(X509_CRL_sign(crl, issuer->key, EVP_sha256()));
  BIO *bio = BIO_new(BIO_s_mem());
  OK(bio);
  OK(PEM_write_bio_X509_CRL(bio, crl));
  X509_CRL_free(crl);
  return text_of(bio);
}

char *cert_locked_key(const cert_t *cert, const char *password) {
  BIO *bio = BIO_new(BIO_s_mem());
  OK(bio);
  OK(PEM_write_bio_PrivateKey(bio, cert->key, EVP_aes_128_cbc(),
                              (const unsigned char *)password,
                              (int)strlen(password), NULL, NULL));
  return text_of(bio);
}
