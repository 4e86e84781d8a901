/*
 * errors.h: the error codes of the control protocol (docs/protocol.md), for both its ends. Knows no library.
 *
 * Thread: pure.
 */
#ifndef CONTROL_ERRORS_H
#define CONTROL_ERRORS_H

enum control_error { /* JSON-RPC 2.0, and ours from -32000 down */
    CONTROL_PARSE           = -32700,
    CONTROL_INVALID_REQUEST = -32600,
    CONTROL_UNKNOWN_METHOD  = -32601,
    CONTROL_BAD_PARAMS      = -32602,
    CONTROL_INTERNAL        = -32603,
    CONTROL_FAILED          = -32000, /* it could not be done */
    CONTROL_DENIED          = -32001, /* needs root, the daemon's user, or the control group */
    CONTROL_NOT_FOUND       = -32002, /* no such zone, no such entry */
};

#endif
