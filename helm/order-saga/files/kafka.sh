# Starts Kafka with the certificate in /tls, and ends it when that has changed, so that it is started again: Kafka reads
# its certificate at its start alone. Nodes end one after the other, two minutes apart.
umask 077
kept=/secured/keys.pem # a key and its certificate in one file, as Kafka wants them
present() { cat /tls/tls.key; echo; cat /tls/tls.crt; }
present >"$kept"
/etc/kafka/docker/run &
kafka=$!
trap 'kill -TERM "$kafka" 2>/dev/null' TERM
pause() { sleep "$1" & wait -n; } # it also returns when Kafka ends
while kill -0 "$kafka" 2>/dev/null; do
  pause 10
  if ! present | cmp -s - "$kept"; then
    echo "the certificate has changed: Kafka is ended in $((KAFKA_NODE_ID * 120)) seconds, to be started again with it"
    pause $((KAFKA_NODE_ID * 120))
    kill -TERM "$kafka"
    break
  fi
done
while kill -0 "$kafka" 2>/dev/null; do wait "$kafka"; done
