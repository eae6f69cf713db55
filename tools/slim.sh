#!/bin/sh
# Removes from a virtual environment what nothing reads that runs, and compiles the rest. Usage: tools/slim.sh FOLDER
set -eu
packages=$(echo "$1"/lib/python3*/site-packages)

# The packages' own tests, and what compilers and editors read.
find "$packages" -type d \( -name test -o -name tests -o -name testing \) -prune -exec rm -r {} +
find "$packages" -type f \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.c' -o -name '*.h' \) -delete
# The symbols for debuggers in extension modules, a fifth of everything. The libraries that wheels bring along are left as
# they are: those were moved about by patchelf, after which stripping breaks some.
find "$packages" -type f -name '*.cpython-*.so' -exec strip --strip-debug {} +
# By its contents, so that a copy with another date does not count as another source.
"$1"/bin/python -m compileall -q --invalidation-mode unchecked-hash "$packages"
