#!/bin/sh
# Builds grpcurl, ghz and the Go client into bin/ of the folder $1, in the versions of go.mod. `buf` and the `python` of the
# virtual environment are on the PATH, and the working folder is the repository.
set -eu
folder=$1
export GOBIN="$folder/bin" GOFLAGS="-modcacherw -buildvcs=false"
cp tests/clients/go/* "$folder"
go -C "$folder" install tool
python -c 'from tools import imported; imported.ensure()'
PATH=$GOBIN:$PATH buf generate --template tests/clients/go/buf.gen.yaml --output "$folder"
go -C "$folder" build -o bin/client .
