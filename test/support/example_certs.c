/*
 * Writes the certificates that docs/examples/tls.c asks for into a folder.
 */
#include "certs.h"

#include <stdio.h>
#include <stdlib.h>

static void write_file(const char *folder, const char *name, const char *kind,
                       const char *text) {
  char path[1024];
  snprintf(path, sizeof(path), "%s/%s.%s", folder, name, kind);
  FILE *file = fopen(path, "w");
  if (!file || fputs(text, file) < 0 || fclose(file)) {
    perror(path);
    exit(1);
  }
}

static void write_cert(const char *folder, const char *name,
                       const cert_spec_t *spec) {
  cert_t *cert = cert_new(spec);
  write_file(folder, name, "pem", cert->pem);
  write_file(folder, name, "key", cert->key_pem);
  cert_free(cert);
}

int main(int argc, char **argv) {
  const char *folder = argc > 1 ? argv[1] : ".";
  cert_t *ca = cert_new_ca("Example CA");
  cert_spec_t server = {.name = "server", .hosts = "IP:127.0.0.1"};
  cert_spec_t client = {.name = "client"};
  cert_spec_t other = {.name = "other", .hosts = "DNS:api.example.org"};
  server.issuer = client.issuer = ca;
  write_file(folder, "ca", "pem", ca->pem);
  write_cert(folder, "server", &server);
  write_cert(folder, "client", &client);
  write_cert(folder, "other", &other); /* self-signed */
  server.from = -2 * CERT_DAY;
  server.to = -CERT_DAY;
  write_cert(folder, "expired", &server);
  cert_free(ca);
  return 0;
}
