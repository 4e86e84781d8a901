/*
 * explanation.c: see explanation.h.
 */
#include "explain/explanation.h"

#include "explain/authentication.h"
#include "explain/client.h"
#include "explain/conclusion.h"
#include "explain/mail_hosts.h"
#include "explain/own.h"
#include "explain/sender_policy.h"
#include "explain/servers.h"
#include "explain/validation.h"
#include "explain/zones.h"
#include "mail/spf.h"
#include "mail/spf_walk.h"

#include <stdlib.h>

const char *explanation_verdict_word(enum verdict_word verdict)
{
    static const char *const words[] = {"fine", "blocked", "forged", "broken", "misconfigured", "unknown"};
    return words[verdict];
}

/* ---- life ---- */

/* Each check asks for what it needs by what is known so far; where it is final, all is known. */
static void look(void *owner, struct inquest *inquest)
{
    struct explanation *explanation = owner;
    (void) inquest;
    explanation->zone_count = explanation->host_count = 0;
    servers_forget(explanation);
    if (zones_look(explanation)) {
        mail_hosts_look(explanation);
        sender_policy_look(explanation);
        authentication_look(explanation);
        servers_look(explanation);
    }
    client_look(explanation);
    validation_look(explanation);
    zones_look_behind(explanation);
    own_look(explanation);
}

void explanation_conclude(struct explanation *explanation)
{
    explanation->final = true;
    look(explanation, explanation->inquest);
    conclusion_draw(explanation);
}

struct explanation *explanation_create(const struct explanation_options *options)
{
    struct explanation    *explanation = calloc(1, sizeof(*explanation));
    struct inquest_options inquest     = options->inquest;
    if (!explanation)
        return NULL;
    inquest.look         = look;
    inquest.owner        = explanation;
    explanation->request = options->request;
    explanation->wall    = options->wall;
    explanation->cause   = -1;
    explanation->walk    = malloc(sizeof(*explanation->walk));
    explanation->spf     = malloc(sizeof(*explanation->spf));
    explanation->inquest = inquest_create(&inquest);
    if (explanation->walk && explanation->spf && explanation->inquest)
        return explanation;
    explanation_destroy(explanation);
    return NULL;
}

void explanation_destroy(struct explanation *explanation)
{
    if (!explanation)
        return;
    inquest_destroy(explanation->inquest);
    free(explanation->walk);
    free(explanation->spf);
    free(explanation);
}
