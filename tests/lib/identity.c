/*
 * identity.c: see identity.h.
 */
#include "lib/identity.h"

#include "lib/check.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

struct identity identity_make(const struct identity_options *options)
{
    static long     serial = 1;
    struct identity made   = {.certificate = X509_new()};
    if (options->like)
        EVP_PKEY_up_ref(made.key = options->like->key);
    else
        made.key = EVP_EC_gen("P-256");
    assert_non_null(made.key);
    assert_non_null(made.certificate);
    const struct identity *issuer = options->issuer ? options->issuer : &made;
    X509_set_version(made.certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), serial++);
    ASN1_TIME_set(X509_getm_notBefore(made.certificate), (time_t) options->from);
    ASN1_TIME_set(X509_getm_notAfter(made.certificate), (time_t) options->until);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made.certificate), "CN", MBSTRING_UTF8,
                               (const unsigned char *) options->name, -1, -1, 0);
    X509_set_issuer_name(made.certificate, X509_get_subject_name(issuer->certificate));
    X509_set_pubkey(made.certificate, made.key);
    if (options->is_ca)
        add_extension(made.certificate, issuer->certificate, NID_basic_constraints, "critical,CA:TRUE");
    if (options->names)
        add_extension(made.certificate, issuer->certificate, NID_subject_alt_name, options->names);
    assert_true(X509_sign(made.certificate, issuer->key, EVP_sha256()) > 0);
    return made;
}

void identity_drop(struct identity *identity)
{
    EVP_PKEY_free(identity->key);
    X509_free(identity->certificate);
    *identity = (struct identity){0};
}

char *identity_pem(const struct identity *identity)
{
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(bio, identity->certificate), 1);
    char *bytes;
    long  len  = BIO_get_mem_data(bio, &bytes);
    char *text = calloc(1, (size_t) len + 1);
    assert_non_null(text);
    memcpy(text, bytes, (size_t) len);
    BIO_free(bio);
    return text;
}

SSL_CTX *identity_context(const struct identity *identity, const struct identity *between)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    assert_non_null(context);
    assert_int_equal(SSL_CTX_use_certificate(context, identity->certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, identity->key), 1);
    if (between)
        assert_int_equal(SSL_CTX_add1_chain_cert(context, between->certificate), 1);
    return context;
}
