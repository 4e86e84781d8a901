/*
 * tls.c: see tls.h. OpenSSL on two memory BIOs: what comes is written into the one, what is to be sent is read out of
 * the other after each call.
 */
#include "stream/tls.h"

#include "stream/tls_internal.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    READ = 16 << 10 /* bytes: a record */
};

struct tls {
    SSL                *ssl;
    BIO                *in, *out; /* the ssl's */
    struct credentials *credentials;
    struct tls_hooks    hooks;
    enum tls_state      state;
    bool                heard; /* something came from the peer */
    bool                cut;
    struct verification verification;
};

/* ---- tickets ---- */

static void use_ticket(struct tls *tls, wall_t wall)
{
    struct tls_ticket *ticket = tls->verification.ticket;
    if (!ticket || !ticket->session)
        return;
    if (ticket->context != tls->credentials->context || wall >= ticket->ends)
        tls_ticket_fini(ticket);
    else
        SSL_set_session(tls->ssl, ticket->session);
}

/* ---- what is wrong ---- */

static const char *problem_of(unsigned long error)
{
    switch (ERR_GET_REASON(error)) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
        return "what answers does not speak TLS";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return "it speaks no TLS as new as 1.2";
    case SSL_R_TLSV1_UNRECOGNIZED_NAME:
        return "it does not know the name that was sent (SNI)";
    case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
        return "it does not speak DNS there (ALPN)";
    default:
        return NULL;
    }
}

/* What the verification has said goes before what the library makes of it. */
static enum tls_state fail(struct tls *tls, const char *problem)
{
    unsigned long error = ERR_peek_error();
    char         *text  = tls->verification.problem;
    tls->state          = TLS_FAILED;
    if (text[0] != '\0')
        return TLS_FAILED;
    if (!problem && error)
        problem = problem_of(error);
    if (problem)
        snprintf(text, TLS_PROBLEM_MAX, "%s", problem);
    else if (error && ERR_reason_error_string(error))
        snprintf(text, TLS_PROBLEM_MAX, "the handshake failed: %s", ERR_reason_error_string(error));
    else
        snprintf(text, TLS_PROBLEM_MAX, "the handshake failed");
    return TLS_FAILED;
}

/* ---- the machine ---- */

static void send_pending(struct tls *tls)
{
    char *bytes;
    long  len = BIO_get_mem_data(tls->out, &bytes);
    if (len <= 0)
        return;
    tls->hooks.send(tls->hooks.context, (struct view){(const uint8_t *) bytes, (size_t) len});
    (void) BIO_reset(tls->out);
}

static bool speaks_ours(const struct tls *tls)
{
    const unsigned char *protocol;
    unsigned             len;
    SSL_get0_alpn_selected(tls->ssl, &protocol, &len);
    return !tls->credentials->https || (len == 2 && memcmp(protocol, "h2", 2) == 0);
}

static enum tls_state shake(struct tls *tls)
{
    int done  = SSL_do_handshake(tls->ssl);
    int error = SSL_get_error(tls->ssl, done);
    send_pending(tls); /* an alert, where it failed */
    if (done != 1)
        return error == SSL_ERROR_WANT_READ ? TLS_HANDSHAKE : fail(tls, NULL);
    if (!speaks_ours(tls))
        return fail(tls, "it does not speak HTTP/2 there (ALPN)");
    return tls->state = TLS_OPEN;
}

struct tls *tls_create(struct credentials *credentials, struct tls_ticket *ticket, const struct tls_hooks *hooks,
                       wall_t wall)
{
    struct tls *tls = calloc(1, sizeof(*tls));
    if (!tls)
        return NULL;
    ERR_clear_error();
    tls->credentials         = credentials_take(credentials);
    tls->hooks               = *hooks;
    tls->verification.ticket = ticket;
    tls->verification.by_pin = credentials->by_pin;
    tls->verification.wall   = wall;
    tls->ssl                 = SSL_new(credentials->context);
    tls->in                  = BIO_new(BIO_s_mem());
    tls->out                 = BIO_new(BIO_s_mem());
    if (!tls->ssl || !tls->in || !tls->out) {
        BIO_free(tls->in);
        BIO_free(tls->out);
        goto out;
    }
    BIO_set_mem_eof_return(tls->in, -1);
    BIO_set_mem_eof_return(tls->out, -1);
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    if (SSL_set_app_data(tls->ssl, &tls->verification) != 1)
        goto out;
    X509_VERIFY_PARAM_set_time(SSL_get0_param(tls->ssl), (time_t) wall);
    if (credentials->sni && SSL_set_tlsext_host_name(tls->ssl, credentials->sni) != 1)
        goto out;
    use_ticket(tls, wall);
    SSL_set_connect_state(tls->ssl);
    if (shake(tls) != TLS_FAILED)
        return tls;

out:
    tls_destroy(tls);
    return NULL;
}

void tls_destroy(struct tls *tls)
{
    if (!tls)
        return;
    if (tls->ssl && (tls->state == TLS_OPEN || tls->state == TLS_CLOSED))
        SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* the session stays good */
    SSL_free(tls->ssl);
    credentials_drop(tls->credentials);
    free(tls);
}

enum tls_state tls_state(const struct tls *tls) { return tls->state; }

enum tls_state tls_feed(struct tls *tls, struct view bytes)
{
    if (tls->state == TLS_FAILED || tls->state == TLS_CLOSED)
        return tls->state;
    ERR_clear_error();
    tls->heard = true;
    if (BIO_write(tls->in, bytes.data, (int) bytes.len) != (int) bytes.len)
        return fail(tls, "out of memory");
    return tls->state == TLS_HANDSHAKE ? shake(tls) : tls->state;
}

enum tls_state tls_read(struct tls *tls)
{
    uint8_t plain[READ];
    while (tls->state == TLS_OPEN) {
        ERR_clear_error();
        int len = SSL_read(tls->ssl, plain, sizeof(plain));
        if (len > 0) {
            tls->hooks.got(tls->hooks.context, (struct view){plain, (size_t) len});
            continue;
        }
        int error = SSL_get_error(tls->ssl, len);
        send_pending(tls); /* an answer to a key update */
        if (error == SSL_ERROR_WANT_READ)
            break;
        if (error == SSL_ERROR_ZERO_RETURN)
            tls->state = TLS_CLOSED;
        else
            fail(tls, "it broke the protocol");
    }
    return tls->state;
}

enum tls_state tls_end(struct tls *tls, bool reset)
{
    if (tls->state == TLS_OPEN)
        return tls->state = TLS_CLOSED;
    if (tls->state != TLS_HANDSHAKE)
        return tls->state;
    ERR_clear_error();
    tls->cut = reset && !tls->heard;
    if (tls->heard)
        return fail(tls, reset ? "the connection was reset in the handshake" : "it was closed in the handshake");
    return fail(tls, reset ? "the connection was reset behind the ClientHello, as a border does"
                           : "it was closed behind the ClientHello");
}

bool tls_write(struct tls *tls, struct view plain)
{
    if (tls->state != TLS_OPEN)
        return false;
    ERR_clear_error();
    if (SSL_write(tls->ssl, plain.data, (int) plain.len) != (int) plain.len) {
        fail(tls, "it broke the protocol");
        return false;
    }
    send_pending(tls);
    return true;
}

const char *tls_problem(const struct tls *tls) { return tls->verification.problem; }

bool tls_was_cut(const struct tls *tls) { return tls->cut; }

void tls_describe(const struct tls *tls, struct tls_peer *ret)
{
    X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
    *ret              = tls->verification.peer;
    if (!SSL_is_init_finished(tls->ssl))
        return;
    if (ret->subject[0] == '\0' && certificate) /* a resumed session: it was verified when that began */
        verification_describe(certificate, ret);
    snprintf(ret->version, sizeof(ret->version), "%s", SSL_get_version(tls->ssl));
    ret->resumed = SSL_session_reused(tls->ssl);
}
