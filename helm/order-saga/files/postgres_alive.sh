# PostgreSQL answers. Where its certificate has changed it is told to read it; connections that are there go on.
pg_isready --quiet --host 127.0.0.1 || exit 1
if ! cmp -s /tls/tls.crt /tmp/served.crt; then
  psql --no-psqlrc --quiet --output /dev/null --host /var/run/postgresql --username postgres --command 'SELECT pg_reload_conf()' &&
    cat /tls/tls.crt >/tmp/served.crt # a copy would be as unwritable as the secret's file
fi
exit 0 # that alone is no reason to start PostgreSQL again
