/* crypto [generate FILE | sign FILE]: libcrypto.a against published vectors; RSA with a key that lies in
 * FILE.
 *
 * SHA-256: FIPS 180-4's examples.  AES-GCM: test case 4 of McGrew and Viega, "The Galois/Counter Mode of
 * Operation". */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_hex(const char *name, const unsigned char *bytes, size_t size) {
    printf("%s ", name);
    for (size_t i = 0; i < size; i++)
        printf("%02x", bytes[i]);
    putchar('\n');
}

static void must(int done, const char *what) {
    if (done > 0)
        return;
    fprintf(stderr, "%s failed\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static void digest(const char *algorithm, const char *text) {
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned size;
    must(EVP_Digest(text, strlen(text), bytes, &size, EVP_get_digestbyname(algorithm), NULL), algorithm);
    print_hex(algorithm, bytes, size);
}

static size_t unhex(const char *text, unsigned char *bytes) {
    size_t size = strlen(text) / 2;
    for (size_t i = 0; i < size; i++) {
        unsigned byte;
        sscanf(text + 2 * i, "%2x", &byte);
        bytes[i] = (unsigned char)byte;
    }
    return size;
}

static int aes_gcm(int encrypt, const unsigned char *in, size_t size, unsigned char *out,
                   unsigned char *tag) {
    unsigned char key[16], iv[12], more[20];
    int length;
    unhex("feffe9928665731c6d6a8f9467308308", key);
    unhex("cafebabefacedbaddecaf888", iv);
    size_t extra = unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2", more);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    must(EVP_CipherInit_ex(context, EVP_aes_128_gcm(), NULL, key, iv, encrypt), "init");
    must(EVP_CipherUpdate(context, NULL, &length, more, (int)extra), "associated data");
    must(EVP_CipherUpdate(context, out, &length, in, (int)size), "update");
    if (!encrypt)
        must(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, 16, tag), "tag");
    int good = EVP_CipherFinal_ex(context, out + length, &length);
    if (encrypt)
        must(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, 16, tag), "tag");
    EVP_CIPHER_CTX_free(context);
    return good;
}

static void vectors(void) {
    unsigned char plain[64], sealed[80], opened[80], tag[16];
    digest("sha256", "");
    digest("sha256", "abc");
    digest("sha256", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq");
    digest("sha3-256", "abc");
    digest("md5", "abc");
    size_t size = unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c9595680953"
                        "2fcf0e2449a6b525b16aedf5aa0de657ba637b39",
                        plain);
    aes_gcm(1, plain, size, sealed, tag);
    print_hex("aes-gcm", sealed, size);
    print_hex("tag", tag, sizeof tag);
    printf("opened %d", aes_gcm(0, sealed, size, opened, tag));
    printf(" %d\n", memcmp(opened, plain, size));
    tag[3] ^= 1;
    printf("forged %d\n", aes_gcm(0, sealed, size, opened, tag));
}

static void generate(const char *path) {
    EVP_PKEY *key = EVP_RSA_gen(2048);
    FILE *file = fopen(path, "w");
    must(key && file, "generate");
    must(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), "write");
    fclose(file);
    EVP_PKEY_free(key);
}

static int verify(EVP_PKEY *key, const unsigned char *signature, size_t size, const char *text) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    must(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key), "verify");
    int good = EVP_DigestVerify(context, signature, size, (const unsigned char *)text, strlen(text));
    EVP_MD_CTX_free(context);
    return good;
}

/* PKCS #1 version 1.5: the same key and text give the same signature. */
static void sign(const char *path) {
    FILE *file = fopen(path, "r");
    EVP_PKEY *key = file ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;
    unsigned char signature[256];
    size_t size = sizeof signature;
    must(key != NULL, "read");
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    must(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key), "sign");
    must(EVP_DigestSign(context, signature, &size, (const unsigned char *)"abc", 3), "sign");
    EVP_MD_CTX_free(context);
    print_hex("signature", signature, size);
    printf("verified %d, another text %d\n", verify(key, signature, size, "abc"),
           verify(key, signature, size, "abd"));
    EVP_PKEY_free(key);
    fclose(file);
}

int main(int argc, char **argv) {
    if (argc < 3)
        vectors();
    else if (!strcmp(argv[1], "generate"))
        generate(argv[2]);
    else
        sign(argv[2]);
    for (unsigned long error; (error = ERR_get_error());)
        fprintf(stderr, "%s\n",
                ERR_reason_error_string(error)); /* of the signature that is not another text's */
    return 7;
}
