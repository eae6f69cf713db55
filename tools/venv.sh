#!/bin/sh
# Makes .venv from a lock file, anew where the lock has changed; does nothing where it is what the lock says.
# Usage: tools/venv.sh stack|dev    (dev holds all that stack holds)
set -eu
cd "$(dirname "$0")/.."
kind=$1
log=.venv/pip.log

fail() {
    echo "order-saga: $*" >&2
    exit 1
}

if [ -n "${PYTHON:-}" ]; then # it names one outright
    set -- "$PYTHON"
else
    set -- python3 python3.14 python3.13 python3.12 python3.11
fi

find_python() { # the first of its arguments that is new enough
    for python in "$@"; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
}

wanted() { # what the stamp of a finished installation says
    cksum "requirements-$1.txt" && pwd
}

is_made() { # the stamp matches, the command line is installed, and the interpreter behind it is still there
    [ -x .venv/bin/ordersaga ] && [ "$(cat ".venv/made-$1" 2>/dev/null)" = "$(wanted "$1")" ] && .venv/bin/python -c '' 2>/dev/null
}

run_pip() { # pip, quiet; its last word and where the rest is, when it fails
    .venv/bin/python -m pip --disable-pip-version-check "$@" >>"$log" 2>&1 && return
    fail "could not install requirements-$kind.txt; is there a network? pip said: $(tail -n 1 "$log") (all of it: $log)"
}

install() { # with uv, in seconds; where uv does not get on, with pip, which reads settings of its own and takes a minute
    .venv/bin/uv pip install --python .venv/bin/python --system-certs --compile-bytecode \
        ${index:+--default-index "$index"} "$@" >>"$log" 2>&1 || run_pip install "$@"
}

if is_made dev || is_made "$kind"; then exit 0; fi
if command -v flock >/dev/null; then # two makes at once: the second waits, then finds it done
    exec 9>.venv.lock
    flock 9
    if is_made dev || is_made "$kind"; then exit 0; fi
fi

python=$(find_python "$@")
[ -n "$python" ] || fail "Python 3.11 or later is needed; none of these is one: $*"
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$python comes without venv; on Debian or Ubuntu install the package python3-venv"

if [ "$kind" != dev ] || ! is_made stack; then # what a lock has dropped would stay in one that is only added to
    rm -rf .venv
    "$python" -m venv .venv >/dev/null || fail "$python -m venv .venv failed"
fi
rm -f .venv/made-*
echo "order-saga: installing requirements-$kind.txt into .venv (first time only, or after a change of it)" >&2
: >"$log"
sed -n '/^uv==/,/[^\\]$/p' "requirements-$kind.txt" >.venv/uv.txt
run_pip install --require-hashes --no-deps --only-binary :all: -r .venv/uv.txt
index=${PIP_INDEX_URL:-$(.venv/bin/python -m pip config get global.index-url 2>/dev/null || true)} # uv does not ask pip
install --require-hashes --no-deps --only-binary :all: -r "requirements-$kind.txt"
install --no-deps --no-build-isolation -e . -e gen
wanted "$kind" >".venv/made-$kind"
