/*
 * return_path.h: the way back to a client. Plain data: the logic stores it with a waiting question and hands it back;
 * only net/ looks inside.
 *
 * Thread: pure.
 */
#ifndef BASE_RETURN_PATH_H
#define BASE_RETURN_PATH_H

#include "base/address.h"

struct path {
    void          *endpoint;   /* net's listener or connection table */
    uint64_t       connection; /* TCP: the connection's number, never reused; 0: UDP */
    unsigned       idle_ms;    /* TCP: it is kept that long after its last answer; 0: places are short */
    struct address peer;
    struct address local;     /* UDP: the address the query came to; the answer leaves from it */
    unsigned       interface; /* UDP: index, for link-local addresses */
};

#endif
