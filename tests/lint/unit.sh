#!/bin/sh
# The systemd unit: it is exposed by 2.0 at most, and has a system call filter. Run by meson.
set -eu
cd "$1/config"
security() { systemd-analyze security --offline=true --no-pager "$@" byway.service; }
security --threshold=20 >/dev/null || {
    security | tail -n 2
    exit 1
}
grep -q '^SystemCallFilter=@system-service' byway.service || {
    echo "config/byway.service: no system call filter"
    exit 1
}
