/*
 * descriptor_store.c: see descriptor_store.h. The name of a stored socket says which it is: "byway-udp-0-127.0.0.1_53",
 * for a colon must not be in it.
 */
#include "server/descriptor_store.h"

#include "base/log.h"
#include "net/socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define PREFIX "byway-"
#define BARRIER_US 5000000 /* for the service manager to let go of what it was told to */

static void write_name(const struct address *address, int type, unsigned worker, char ret[STORED_NAME_MAX])
{
    char text[ADDRESS_TEXT_MAX];
    snprintf(ret, STORED_NAME_MAX, PREFIX "%s-%u-%s", type == SOCK_STREAM ? "tcp" : "udp", worker,
             address_format(address, text));
    for (char *colon = ret; (colon = strchr(colon, ':'));)
        *colon = '_';
}

static void remove_name(const char *name) { (void) sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name); }

/* True: it is kept. */
static bool take_in(struct descriptor_store *store, int fd, const char *name)
{
    struct passed *passed = &store->passed[store->count];
    bool           ours   = strncmp(name, PREFIX, strlen(PREFIX)) == 0 && strlen(name) < sizeof(passed->name);
    passed->fd            = fd;
    if (ours && socket_adopt(fd, &passed->type) == 0) {
        snprintf(passed->name, sizeof(passed->name), "%s", name);
        store->count++;
        return true;
    }
    if (!ours)
        log_warning(
            "the service manager passed a socket (%s), which is closed: bywayd opens those of \"listen\" itself", name);
    remove_name(name);
    close(fd);
    return false;
}

bool descriptor_store_open(struct descriptor_store *store)
{
    char **names = NULL;
    int    count = sd_listen_fds_with_names(1, &names);
    bool   whole = true;
    *store       = (struct descriptor_store){0};
    if (count == 0)
        return true;
    store->passed = count > 0 ? calloc((size_t) count, sizeof(*store->passed)) : NULL;
    if (!store->passed)
        log_error("cannot take the sockets that the service manager passed: %s", strerror(count > 0 ? ENOMEM : -count));
    for (int i = 0; i < count; i++) {
        if (store->passed && !take_in(store, SD_LISTEN_FDS_START + i, names[i]))
            whole = false;
        free(names[i]);
    }
    free(names);
    if (!whole) /* it has them too, until it has read that it is to let go */
        (void) sd_notify_barrier(0, BARRIER_US);
    store->keeps = store->count > 0;
    return store->passed != NULL;
}

void descriptor_store_close(struct descriptor_store *store)
{
    for (size_t i = 0; i < store->count; i++)
        if (store->passed[i].fd >= 0)
            close(store->passed[i].fd);
    free(store->passed);
    store->passed = NULL;
    store->count  = 0;
}

static int take(struct passed *passed)
{
    int fd     = passed->fd;
    passed->fd = -1;
    return fd;
}

int descriptor_store_take(struct descriptor_store *store, const struct address *address, int type, unsigned worker)
{
    char name[STORED_NAME_MAX];
    write_name(address, type, worker, name);
    for (size_t i = 0; i < store->count; i++)
        if (store->passed[i].fd >= 0 && store->passed[i].type == type && strcmp(store->passed[i].name, name) == 0)
            return take(&store->passed[i]);
    return -1;
}

int descriptor_store_take_any(struct descriptor_store *store, int *ret_type)
{
    for (size_t i = 0; i < store->count; i++) {
        if (store->passed[i].fd < 0)
            continue;
        remove_name(store->passed[i].name);
        *ret_type = store->passed[i].type;
        return take(&store->passed[i]);
    }
    return -1;
}

void descriptor_store_put(struct descriptor_store *store, const struct address *address, int type, unsigned worker,
                          int fd)
{
    char name[STORED_NAME_MAX], text[STORED_NAME_MAX + 64];
    write_name(address, type, worker, name);
    /* Unwatched: an error that waits on a socket is none of its business. */
    snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
    if (sd_pid_notify_with_fds(0, 0, text, &fd, 1) > 0)
        store->keeps = true;
}

void descriptor_store_remove(const struct address *address, int type, unsigned worker)
{
    char name[STORED_NAME_MAX];
    write_name(address, type, worker, name);
    remove_name(name);
}
