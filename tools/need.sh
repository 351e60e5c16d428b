#!/bin/bash
# tools/need.sh WHAT PACKAGE...: install the Debian packages that WHAT needs.
#
# Does nothing, and touches no network, when all are there already.
set -euo pipefail

what=$1
shift

missing=()
for package in "$@"; do
    status=$(dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null || true)
    [[ $status == 'install ok installed' ]] || missing+=("$package")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

if ! command -v apt-get >/dev/null; then
    echo "$what needs what Debian calls ${missing[*]}: install it with your package manager" >&2
    exit 1
fi
if [[ $EUID -ne 0 ]]; then
    echo "$what needs these Debian packages: sudo apt-get install ${missing[*]}" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
install=(apt-get install --yes --quiet --no-install-recommends "${missing[@]}")
# The package lists of a fresh machine are missing or old: fetch them, once.
"${install[@]}" || { apt-get update --quiet && "${install[@]}"; }
