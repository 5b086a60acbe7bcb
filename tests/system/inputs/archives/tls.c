/* libssl.a: a client and a server in one process shake hands through memory and exchange a line. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(int done, const char *what) {
    if (done > 0)
        return;
    fprintf(stderr, "%s failed\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static X509 *certify(EVP_PKEY *key) {
    X509 *certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"here", -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    must(X509_sign(certificate, key, EVP_sha256()), "certificate");
    return certificate;
}

static SSL *make(SSL_CTX *context, BIO *end, void (*set_state)(SSL *)) {
    SSL *connection = SSL_new(context);
    must(connection != NULL, "connection");
    SSL_set_bio(connection, end, end);
    set_state(connection);
    return connection;
}

static void shake_hands(SSL *client, SSL *server) {
    for (int i = 0, done = 0; i < 10 && done < 2; i++) {
        int to_server = SSL_do_handshake(client), to_client = SSL_do_handshake(server);
        done = (to_server == 1) + (to_client == 1);
    }
    must(SSL_is_init_finished(client) && SSL_is_init_finished(server), "handshake");
}

int main(void) {
    char line[32];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = certify(key);
    SSL_CTX *serving = SSL_CTX_new(TLS_server_method()), *asking = SSL_CTX_new(TLS_client_method());
    must(SSL_CTX_use_certificate(serving, certificate), "use certificate");
    must(SSL_CTX_use_PrivateKey(serving, key), "use key");
    must(X509_STORE_add_cert(SSL_CTX_get_cert_store(asking), certificate), "trust");
    SSL_CTX_set_verify(asking, SSL_VERIFY_PEER, NULL);
    BIO *near, *far;
    must(BIO_new_bio_pair(&near, 0, &far, 0), "pair");
    SSL *client = make(asking, near, SSL_set_connect_state),
        *server = make(serving, far, SSL_set_accept_state);
    shake_hands(client, server);
    printf("%s %s %ld\n", SSL_get_version(client), SSL_get_cipher(client), SSL_get_verify_result(client));
    must(SSL_write(client, "over there", 10), "write");
    int size = SSL_read(server, line, sizeof line);
    printf("%.*s\n", size, line);
    SSL_free(client);
    SSL_free(server);
    SSL_CTX_free(asking);
    SSL_CTX_free(serving);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return 8;
}
