/*
 * remote.c: see remote.h. The lock is taken when a connection is opened, never for a question.
 */
#include "stream/remote.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct remote {
    _Atomic unsigned     references;
    struct way           way;
    _Atomic int64_t      opened; /* msec_t */
    pthread_mutex_t      lock;   /* of what follows */
    struct credentials  *credentials;
    struct remote_report report;
};

struct remote *remote_create(const struct way *way)
{
    struct remote *remote = calloc(1, sizeof(*remote));
    if (!remote || !way_copy(&remote->way, way)) {
        free(remote);
        return NULL;
    }
    atomic_init(&remote->references, 1);
    pthread_mutex_init(&remote->lock, NULL);
    return remote;
}

struct remote *remote_take(struct remote *remote)
{
    atomic_fetch_add(&remote->references, 1);
    return remote;
}

void remote_drop(struct remote *remote)
{
    if (!remote || atomic_fetch_sub(&remote->references, 1) != 1)
        return;
    credentials_drop(remote->credentials);
    pthread_mutex_destroy(&remote->lock);
    way_fini(&remote->way);
    free(remote);
}

const struct way *remote_way(const struct remote *remote) { return &remote->way; }

void remote_set_credentials(struct remote *remote, struct credentials *credentials)
{
    struct credentials *next = credentials ? credentials_take(credentials) : NULL;
    pthread_mutex_lock(&remote->lock);
    struct credentials *before = remote->credentials;
    remote->credentials        = next;
    pthread_mutex_unlock(&remote->lock);
    credentials_drop(before);
}

struct credentials *remote_credentials(struct remote *remote)
{
    pthread_mutex_lock(&remote->lock);
    struct credentials *credentials = remote->credentials ? credentials_take(remote->credentials) : NULL;
    pthread_mutex_unlock(&remote->lock);
    return credentials;
}

void remote_note(struct remote *remote, const char *problem, const struct tls_peer *peer, msec_t now)
{
    if (problem[0] == '\0')
        atomic_store_explicit(&remote->opened, now, memory_order_relaxed);
    pthread_mutex_lock(&remote->lock);
    if (problem[0] != '\0' && remote->report.problem[0] == '\0')
        remote->report.since = now;
    snprintf(remote->report.problem, sizeof(remote->report.problem), "%s", problem);
    if (peer)
        remote->report.peer = *peer;
    pthread_mutex_unlock(&remote->lock);
}

msec_t remote_opened(const struct remote *remote)
{
    return atomic_load_explicit(&remote->opened, memory_order_relaxed);
}

void remote_read(struct remote *remote, struct remote_report *ret)
{
    pthread_mutex_lock(&remote->lock);
    *ret = remote->report;
    pthread_mutex_unlock(&remote->lock);
}
