/*
 * script.h: what the parties of a hearing say, as lines of text, so that a story is short to write:
 *
 *   WHO NAME TYPE RECORD     "de x.example MX 10 mail.x.example."   as in a zone file
 *   WHO NAME TYPE !MANNER    "d *x.example * !servfail 7"
 *
 * WHO: of d (domestic), e (external), c (the canary), those that it is true of; or an address, with /udp or /tcp where
 * it is so over one alone. NAME: "*" before it is all at or below it. TYPE: "*" is any. Who is not told anything of a
 * name knows what domestic or external was told of its zone (the longest name with an SOA for this party), says that a
 * name does not exist, or that it has no such record; an address, and the canary, are silent.
 *
 *   !silent  !refused (by the network)  !noroute  !servfail [EDE]  !rcode N [aa]  !nodata  !nothing (no SOA either)
 *   !serves ZONE [noedns] [noaa]    answers as external was told, with authority, for what is at or below ZONE
 *   !refers ZONE HOST ADDRESS       the delegation of ZONE, with glue
 *   !raw HEX                        one record with these data
 *   !doubts N                       to who asks without validation rcode N; else SERVFAIL 6
 *   !signs RRSIG…                   what there is, with this signature, to who asks without validation; else SERVFAIL 7
 *
 * A line with "+ad" behind TYPE sets AD. Of the lines that fit a question the first with a manner counts, before all
 * records; what the first list says of it hides what the second does.
 */
#ifndef LIB_SCRIPT_H
#define LIB_SCRIPT_H

#include "lib/hearing.h"

struct script {
    const char *const *lines[2]; /* each ends with a NULL; the first before the second */
};

/* A hearing_play_fn, whose context is a struct script. */
enum hearing_play script_play(void *context, const struct hearing_question *question, struct packet *reply);

#endif
