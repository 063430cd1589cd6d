#!/bin/sh
# Installs the system programs that only some tests need: nginx and Chromium.
set -eu
PATH=$PATH:/usr/sbin

missing=
for program in nginx chromium; do
    command -v "$program" >/dev/null || missing="$missing $program"
done

if [ -z "$missing" ]; then
    echo "deps: nginx and chromium are installed"
elif [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "deps: installing$missing"
    apt-get update -qq
    # RUNLEVEL=1: Debian would start nginx on port 80, which nobody asked for.
    # shellcheck disable=SC2086
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "deps: please type: sudo apt-get install$missing"
fi
