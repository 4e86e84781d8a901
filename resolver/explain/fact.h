/*
 * fact.h: what an inquest's fact says: its records, one by one.
 *
 * Thread: keeper.
 */
#ifndef EXPLAIN_FACT_H
#define EXPLAIN_FACT_H

#include "explain/inquest.h"

/* The fact's answer records of type `type`, one by one: `record` is zeroed at first. False: no more. */
bool fact_next(const struct fact *fact, uint16_t type, struct message *message, struct record *record);
/* The name at `at` bytes into the record's data, in lower case. False: it is no name. */
bool fact_name(const struct message *message, const struct record *record, size_t at, struct name *ret);
/* The address of an A or AAAA record. False: it is none of these. */
bool fact_address(const struct record *record, uint16_t port, struct address *ret);
/* The same data, whatever way their names are compressed: of MX, and types without names. */
bool     fact_same_data(const struct message *message, const struct record *record, const struct message *others,
                        const struct record *other);
unsigned fact_count(const struct fact *fact, uint16_t type);
/* Owner of the SOA that it shows; an empty view: it shows none. */
struct view fact_zone(const struct fact *fact);

#endif
