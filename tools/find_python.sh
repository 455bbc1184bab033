#!/bin/sh
# Prints the first Python that can run VeloZ: $PYTHON if given, else the oldest supported one.
#
# The oldest comes first because the locks are tried on it daily. A name on the PATH may be a shim
# that only prints an error, so each candidate is run.

can_run() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if [ -n "${PYTHON:-}" ]; then
    if can_run "$PYTHON"; then
        echo "$PYTHON"
        exit 0
    fi
    echo "error: PYTHON=$PYTHON is not a Python of version 3.11 or later; name one that is" >&2
    exit 1
fi
for candidate in python3.11 python3.12 python3.13 python3.14 python3 python; do
    if can_run "$candidate"; then
        echo "$candidate"
        exit 0
    fi
done
cat >&2 <<'END'
error: no Python 3.11 or later on the PATH
  Debian, Ubuntu:  apt install python3 python3-venv
  Fedora:          dnf install python3
  macOS:           brew install python@3.11
or name one yourself:  make PYTHON=/path/to/python3.11 …
END
exit 1
