#!/bin/sh
# Shell lint: every script of the tree, and the shell's completion, parses, and shellcheck has nothing to say about it. Run by meson.
set -eu
cd "$1"
scripts=$(for file in scripts/* scripts/lib/* tests/lab/lab tests/lab/*.sh tests/lab/clients/* tests/lint/*.sh config/debian/* config/takeover/* \
    config/ansible/roles/byway/files/* .ci/run; do
    [ ! -f "$file" ] || case $(head -n 1 "$file") in
    '#!/bin/sh'* | '# Shared by'* | '# Part of'*) echo "$file" ;;
    esac
done)
[ -n "$scripts" ]
for script in $scripts; do
    sh -n "$script"
done
# shellcheck disable=SC2086 # one word a script
shellcheck -x $scripts
for completion in config/bash-completion/*; do
    bash -n "$completion"
    shellcheck -s bash "$completion"
done
