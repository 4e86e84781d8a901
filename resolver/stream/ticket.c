/*
 * ticket.c: what resumes a TLS session (tls.h): taken from the server as it comes, for as long as what was verified
 * with it is good.
 */
#include "stream/tls_internal.h"

void tls_ticket_fini(struct tls_ticket *ticket)
{
    SSL_SESSION_free(ticket->session);
    SSL_CTX_free(ticket->context);
    *ticket = (struct tls_ticket){0};
}

static wall_t earlier(wall_t a, wall_t b) { return a < b ? a : b; }

int ticket_on_session(SSL *ssl, SSL_SESSION *session)
{
    const struct verification *verification = verification_of(ssl);
    struct tls_ticket         *ticket       = verification->ticket;
    X509                      *certificate  = SSL_get0_peer_certificate(ssl);
    SSL_CTX                   *context      = SSL_get_SSL_CTX(ssl);
    if (!ticket || verification->problem[0] != '\0' || !certificate || !SSL_SESSION_is_resumable(session) ||
        SSL_CTX_up_ref(context) != 1)
        return 0;
    wall_t life     = (wall_t) SSL_SESSION_get_timeout(session);
    bool   again    = SSL_session_reused(ssl) && ticket->session;
    wall_t verified = again ? ticket->verified : verification->wall;
    wall_t ends     = earlier(verification->wall + life, verified + TLS_TICKET_LIFE);
    wall_t good     = verification_time(X509_get0_notAfter(certificate));
    tls_ticket_fini(ticket);
    ticket->session  = session; /* ours from now on */
    ticket->context  = context;
    ticket->verified = verified;
    ticket->ends     = verification->by_pin ? ends : earlier(ends, good);
    return 1;
}
