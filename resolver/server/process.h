/*
 * process.h: what the system says of this process.
 *
 * Thread: any.
 */
#ifndef SERVER_PROCESS_H
#define SERVER_PROCESS_H

#include <stdint.h>

struct process {
    double   cpu_seconds;
    uint64_t resident_bytes, open_descriptors; /* 0 where there is no /proc */
};

void process_read(struct process *ret);

#endif
