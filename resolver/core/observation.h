/*
 * observation.h: what a worker tells the keeper about a zone: plain data for a ring.
 *
 * Thread: pure.
 */
#ifndef CORE_OBSERVATION_H
#define CORE_OBSERVATION_H

#include "base/address.h"
#include "dns/name.h"
#include "learn/words.h"

enum observed {
    OBSERVED_STRIKE,      /* failed or silent at domestic, then answered by external */
    OBSERVED_BOTH_FAILED, /* no side had an answer */
    OBSERVED_FINE,        /* domestic answered for a zone that is listed, or late */
    OBSERVED_CUT,         /* external, asked because of a blocked zone, has answered for a name below it; `zone`: which
                             zone it is in, below that one, if the answer showed it */
    OBSERVED_USED,        /* a blocked zone is in use: it should be known soon when that ends */
    OBSERVED_SAMPLE,      /* `group` answered; one a second. `zone`: where control questions may be asked, or none */
    OBSERVED_COMPLAINT,   /* a blocklist answers with an error (blocklist.h): for the log, no evidence */
    OBSERVED_UNTRIED,     /* the canary is to be asked about `name`, of the domain `zone` */
    OBSERVED_ECHO,        /* `name` below setup->echo was asked by a client: no evidence either */
};

struct observation {
    enum observed    what;
    enum zone_reason reason; /* of the failure */
    uint8_t          group;  /* OBSERVED_SAMPLE */
    uint8_t  failed[2]; /* upstreams that failed, or were silent: domestic's and external's, by place in their groups */
    uint16_t type, class;
    uint64_t epoch;       /* in which it was asked (base/epoch.h) */
    struct name    name;  /* lower case */
    struct name    zone;  /* owner of the SOA that external showed; len 0: it showed none. OBSERVED_COMPLAINT: the list;
                          OBSERVED_UNTRIED: the domain */
    struct name    alias; /* the end of the CNAME chain that external showed; len 0: none */
    struct address upstream;               /* OBSERVED_COMPLAINT: who answered so */
    uint8_t        answer[16], answer_len; /* the same: the address that is an error, 4 bytes or 16 */
};

#endif
