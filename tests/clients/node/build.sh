#!/bin/sh
# Puts the Node client into the folder $1, with what it needs, in the versions of package-lock.json. The working folder is
# the repository.
set -eu
folder=$1
cp tests/clients/node/* "$folder"
python -c 'from tools import imported; imported.ensure()'
npm ci --prefix "$folder" --ignore-scripts --prefer-offline --no-audit --no-fund
