#!/bin/sh
# Manual page lint: mandoc has nothing to say about docs/man/*, and there are pages. Run by meson.
set -eu
cd "$1/docs/man"
for page in *.[1-8]; do
    [ -f "$page" ] || { echo "docs/man: no pages"; exit 1; }
    mandoc -Tlint -W warning "$page"
done
