/*
 * verification.c: whether a certificate is the upstream's (tls_internal.h), and what is wrong with it where it is not,
 * in words that say what to do.
 */
#include "base/printable.h"
#include "base/units.h"
#include "stream/pin.h"
#include "stream/tls_internal.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

wall_t verification_time(const ASN1_TIME *time)
{
    struct tm tm;
    return time && ASN1_TIME_to_tm(time, &tm) == 1 ? timegm(&tm) : 0;
}

/* ---- who it is ---- */

/* The common name, or all of the name where it has none; whoever wrote it. */
static void name_text(const X509_NAME *name, char text[TLS_NAME_MAX])
{
    char raw[TLS_NAME_MAX] = "";
    if (name && X509_NAME_get_text_by_NID((X509_NAME *) name, NID_commonName, raw, sizeof(raw)) <= 0)
        X509_NAME_oneline(name, raw, sizeof(raw));
    printable_copy(raw, text, TLS_NAME_MAX);
}

static bool hash_key(X509 *certificate, uint8_t ret[WAY_PIN])
{
    unsigned char *der  = NULL;
    int            len  = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    unsigned       size = 0;
    bool           good = len > 0 && EVP_Digest(der, (size_t) len, ret, &size, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    return good && size == WAY_PIN;
}

void verification_describe(X509 *certificate, struct tls_peer *peer)
{
    name_text(X509_get_subject_name(certificate), peer->subject);
    name_text(X509_get_issuer_name(certificate), peer->issuer);
    peer->not_before = verification_time(X509_get0_notBefore(certificate));
    peer->not_after  = verification_time(X509_get0_notAfter(certificate));
    peer->has_pin    = hash_key(certificate, peer->pin);
}

/* ---- what is wrong ---- */

static size_t add_text(char *text, size_t used, size_t cap, const char *more)
{
    int len = snprintf(text + used, cap - used, "%s%s", used > 0 ? ", " : "", more);
    return len > 0 && used + (size_t) len < cap ? used + (size_t) len : used;
}

/* The names that it has, three at most. */
static void names_of(X509 *certificate, char *text, size_t cap)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    size_t         used  = 0;
    unsigned       told  = 0;
    text[0]              = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && told < 3; i++) {
        const GENERAL_NAME  *name = sk_GENERAL_NAME_value(names, i);
        char                 one[INET6_ADDRSTRLEN + 64], safe[4 * sizeof(one)];
        const ASN1_STRING   *is   = name->type == GEN_DNS     ? name->d.dNSName
                                    : name->type == GEN_IPADD ? name->d.iPAddress
                                                              : NULL;
        const unsigned char *data = is ? ASN1_STRING_get0_data(is) : NULL;
        int                  len  = is ? ASN1_STRING_length(is) : 0;
        if (name->type == GEN_DNS)
            snprintf(one, sizeof(one), "%.*s", len > 64 ? 64 : len, (const char *) data);
        else if (!is || (len != 4 && len != 16) || !inet_ntop(len == 4 ? AF_INET : AF_INET6, data, one, sizeof(one)))
            continue;
        used = add_text(text, used, cap, printable_copy(one, safe, sizeof(safe)));
        told++;
    }
    if (told == 0)
        snprintf(text, cap, "no name");
    else if (sk_GENERAL_NAME_num(names) > 3)
        add_text(text, used, cap, "…");
    GENERAL_NAMES_free(names);
}

static void tell(struct verification *to, const struct credentials *credentials, X509_STORE_CTX *store, X509 *leaf)
{
    X509 *at    = X509_STORE_CTX_get_current_cert(store);
    int   error = X509_STORE_CTX_get_error(store);
    char  name[TLS_NAME_MAX], issuer[TLS_NAME_MAX], names[200], time[TIME_TEXT_MAX], whose[TLS_NAME_MAX + 32];
    name_text(at ? X509_get_subject_name(at) : NULL, name);
    name_text(at ? X509_get_issuer_name(at) : NULL, issuer);
    if (at == leaf)
        snprintf(whose, sizeof(whose), "its certificate");
    else
        snprintf(whose, sizeof(whose), "the certificate of its issuer %s", name);
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        snprintf(to->problem, sizeof(to->problem), "%s expired at %s", whose,
                 time_format(verification_time(X509_get0_notAfter(at)), time));
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        snprintf(to->problem, sizeof(to->problem), "%s is valid from %s only: is this machine's clock right?", whose,
                 time_format(verification_time(X509_get0_notBefore(at)), time));
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        names_of(leaf, names, sizeof(names));
        snprintf(to->problem, sizeof(to->problem), "its certificate is for %s, not for %s", names, credentials->name);
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        snprintf(to->problem, sizeof(to->problem),
                 "its certificate is self-signed (%s): set \"ca\" or \"pins\" if that is right", name);
        break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        snprintf(to->problem, sizeof(to->problem), "its certificate leads to %s, which is not trusted here", name);
        break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        snprintf(to->problem, sizeof(to->problem),
                 "%s was issued by %s, which is not known here: unknown, or the server leaves out what stands between",
                 whose, issuer);
        break;
    default:
        snprintf(to->problem, sizeof(to->problem), "%s: %s", whose, X509_verify_cert_error_string(error));
    }
}

/* ---- verifying ---- */

static bool is_pinned(const struct credentials *credentials, X509 *certificate)
{
    uint8_t pin[WAY_PIN];
    if (!certificate || !hash_key(certificate, pin))
        return false;
    for (unsigned i = 0; i < credentials->pin_count; i++)
        if (memcmp(credentials->pins[i], pin, WAY_PIN) == 0)
            return true;
    return false;
}

static bool is_chain_pinned(const struct credentials *credentials, X509_STORE_CTX *store)
{
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(store);
    for (int i = 0; i < sk_X509_num(chain); i++)
        if (is_pinned(credentials, sk_X509_value(chain, i)))
            return true;
    return false;
}

int verification_run(X509_STORE_CTX *store, void *context)
{
    const struct credentials *credentials = context;
    SSL                      *ssl         = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct verification      *to          = verification_of(ssl);
    X509                     *leaf        = X509_STORE_CTX_get0_cert(store);
    char                      pin[PIN_TEXT_MAX];
    if (leaf)
        verification_describe(leaf, &to->peer);
    if (!credentials->by_pin && X509_verify_cert(store) != 1) {
        tell(to, credentials, store, leaf);
        return 0;
    }
    bool pinned = credentials->by_pin ? is_pinned(credentials, leaf) : is_chain_pinned(credentials, store);
    if (credentials->pin_count == 0 || pinned) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    snprintf(to->problem, sizeof(to->problem), "its key is %s, which is not among \"pins\"",
             to->peer.has_pin ? pin_format(to->peer.pin, pin) : "unreadable");
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return 0;
}
