/* Linked with the OpenSSL input: the first bytes of SHA-256 over COUNT times 'a', and a TLS context. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdint.h>

static uint64_t first_bytes(const unsigned char *digest) {
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | digest[i];
    return value;
}

uint64_t check_crypto(uint64_t count);
uint64_t check_crypto(uint64_t count) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int good = context && EVP_DigestInit_ex(context, EVP_sha256(), 0);
    for (uint64_t i = 0; i < count && good; i++)
        good = EVP_DigestUpdate(context, "a", 1);
    good = good && EVP_DigestFinal_ex(context, digest, 0);
    EVP_MD_CTX_free(context);
    SSL_CTX *tls = SSL_CTX_new(TLS_method());
    good = good && tls;
    SSL_CTX_free(tls);
    ERR_print_errors_fp(stderr);
    return good ? first_bytes(digest) : 0;
}
