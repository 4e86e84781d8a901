/*
 * methods.h: the methods of the control socket (docs/protocol.md).
 *
 * Thread: keeper.
 */
#ifndef METHODS_METHODS_H
#define METHODS_METHODS_H

#include "server/daemon.h"

extern const struct control_method methods[];

#endif
