/*
 * credentials.c: see credentials.h.
 */
#include "stream/credentials.h"

#include "stream/tls_internal.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whole files, read now: what OpenSSL calls its default paths is a folder too, which it searches in the midst of a
 * handshake. */
struct trust *trust_open(void)
{
    const char *const files[] = {"/etc/ssl/certs/ca-certificates.crt", X509_get_default_cert_file()};
    struct trust     *trust   = calloc(1, sizeof(*trust));
    if (!trust)
        return NULL;
    ERR_clear_error();
    trust->store = X509_STORE_new();
    for (size_t i = 0; trust->store && i < ARRAY_LEN(files); i++)
        if (X509_STORE_load_file(trust->store, files[i]) == 1)
            return trust;
    trust_close(trust);
    return NULL;
}

void trust_close(struct trust *trust)
{
    if (!trust)
        return;
    X509_STORE_free(trust->store);
    free(trust);
}

/* ---- a file's authorities ---- */

/* Adds each certificate of `pem` to `store`, which may be NULL. Returns how many; 0: none, or something else among
 * them. */
static unsigned read_ca(const char *pem, X509_STORE *store)
{
    unsigned count = 0;
    BIO     *bio   = BIO_new_mem_buf(pem, -1);
    if (!bio)
        return 0;
    ERR_clear_error();
    for (X509 *one; (one = PEM_read_bio_X509(bio, NULL, NULL, NULL)); X509_free(one)) {
        if (store && X509_STORE_add_cert(store, one) != 1) {
            X509_free(one);
            count = 0;
            break;
        }
        count++;
    }
    unsigned long error = ERR_peek_last_error();
    bool          ended = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    BIO_free(bio);
    return ended ? count : 0;
}

unsigned credentials_count_ca(const char *pem) { return read_ca(pem, NULL); }

static bool set_store(SSL_CTX *context, const struct way *way, const struct trust *trust)
{
    if (!way->ca) {
        if (trust)
            SSL_CTX_set1_cert_store(context, trust->store);
        return true;
    }
    X509_STORE *store = X509_STORE_new();
    bool        good  = store && read_ca(way->ca, store) > 0;
    if (good)
        SSL_CTX_set_cert_store(context, store);
    else
        X509_STORE_free(store);
    return good;
}

/* ---- a context ---- */

static bool set_name(struct credentials *credentials, const struct way *way)
{
    struct address     address;
    char               host[ADDRESS_TEXT_MAX];
    bool               is_address = !way->name || address_parse(way->name, 1, &address);
    X509_VERIFY_PARAM *param      = SSL_CTX_get0_param(credentials->context);
    if (!way->name)
        address = way->address;
    if (is_address) {
        address_format_host(&address, host);
        host[strcspn(host, "%")] = '\0';
    }
    credentials->by_address = is_address;
    credentials->name       = strdup(is_address ? host : way->name);
    const char *sni         = way->sni ? way->sni : is_address ? "" : way->name;
    credentials->sni        = sni[0] != '\0' ? strdup(sni) : NULL;
    if (!credentials->name || (sni[0] != '\0' && !credentials->sni))
        return false;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return is_address ? X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1
                      : X509_VERIFY_PARAM_set1_host(param, way->name, 0) == 1;
}

static bool set_protocol(SSL_CTX *context, bool https)
{
    static const unsigned char dot[] = "\3dot", h2[] = "\2h2";
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_alpn_protos(context, https ? h2 : dot, https ? sizeof(h2) - 1 : sizeof(dot) - 1) == 0;
}

struct credentials *credentials_create(const struct way *way, const struct trust *trust, char why[CREDENTIALS_WHY_MAX])
{
    struct credentials *credentials = calloc(1, sizeof(*credentials));
    snprintf(why, CREDENTIALS_WHY_MAX, "out of memory");
    if (!credentials)
        return NULL;
    atomic_init(&credentials->references, 1);
    credentials->https     = way->form == WAY_HTTPS;
    credentials->by_pin    = way->pin_count > 0 && !way->ca;
    credentials->pin_count = way->pin_count;
    memcpy(credentials->pins, way->pins, sizeof(way->pins));
    ERR_clear_error();
    credentials->context = SSL_CTX_new(TLS_client_method());
    if (!credentials->context || !set_protocol(credentials->context, credentials->https) || !set_name(credentials, way))
        goto out;
    if (!set_store(credentials->context, way, trust)) {
        snprintf(why, CREDENTIALS_WHY_MAX, "no certificates in PEM, or something else among them");
        goto out;
    }
    SSL_CTX_set_verify(credentials->context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_sess_set_new_cb(credentials->context, ticket_on_session);
    SSL_CTX_set_cert_verify_callback(credentials->context, verification_run, credentials);
    return credentials;

out:
    credentials_drop(credentials);
    return NULL;
}

struct credentials *credentials_take(struct credentials *credentials)
{
    atomic_fetch_add(&credentials->references, 1);
    return credentials;
}

void credentials_drop(struct credentials *credentials)
{
    if (!credentials || atomic_fetch_sub(&credentials->references, 1) != 1)
        return;
    SSL_CTX_free(credentials->context);
    free(credentials->name);
    free(credentials->sni);
    free(credentials);
}
