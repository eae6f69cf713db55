# Gives each topic a copy on every node, where it was made when there were fewer of them, and has a record wait for a second copy
# once there is one. It is safe to repeat, and changes nothing where nothing is to be done.
set -euo pipefail
umask 077
bin=${ORDER_SAGA_BIN:-/opt/kafka/bin} tls=${ORDER_SAGA_TLS:-/tls} scratch=${ORDER_SAGA_SCRATCH:-/tmp}
export KAFKA_HEAP_OPTS=-Xmx160m KAFKA_LOG4J_OPTS=-Dlog4j2.configurationFile=/etc/kafka/docker/tools-log4j2.yaml
{ cat "$tls/tls.key"; echo; cat "$tls/tls.crt"; } >"$scratch/keys.pem"
cat >"$scratch/client.properties" <<END
security.protocol=SSL
ssl.keystore.type=PEM
ssl.keystore.location=$scratch/keys.pem
ssl.truststore.type=PEM
ssl.truststore.location=$tls/ca.crt
default.api.timeout.ms=15000
request.timeout.ms=10000
END
ask() { # ask NAME OPTION...: the brokers
  "$bin/$1" --bootstrap-server "$BROKERS" --command-config "$scratch/client.properties" "${@:2}" 2>"$scratch/error" ||
    { cat "$scratch/error" >&2; return 1; }
}
have_all() { # each node is there, and takes part
  local line count=0
  while read -r line; do
    [[ ! $line =~ ^[0-9]+\ .*\ unfenced\  ]] || ((count += 1))
  done < <("$bin/kafka-cluster.sh" list-endpoints --bootstrap-server "$BROKERS" --command-config "$scratch/client.properties" \
    2>/dev/null)
  [ "$count" -ge "$NODES" ]
}
plan() { # where the copies of what has too few of them are to be: each partition leads off on another node
  local line list i some=
  while IFS= read -r line; do
    [[ $line =~ ^$'\t'Topic:\ ([^$'\t']+)$'\t'Partition:\ ([0-9]+)$'\t'.*$'\t'Replicas:\ ([0-9,]+) ]] || continue
    IFS=, read -ra have <<<"${BASH_REMATCH[3]}"
    [ "${#have[@]}" -lt "$NODES" ] || continue
    list=
    for ((i = 0; i < NODES; i++)); do list+=,$(((BASH_REMATCH[2] + i) % NODES)); done
    some+=",{\"topic\":\"${BASH_REMATCH[1]}\",\"partition\":${BASH_REMATCH[2]},\"replicas\":[${list#,}]}"
  done
  [ -z "$some" ] || echo "{\"version\":1,\"partitions\":[${some#,}]}"
}

until have_all; do
  echo "waiting until all $NODES nodes are there"
  sleep 3
done
said=$(ask kafka-topics.sh --describe)
plan <<<"$said" >"$scratch/plan.json"
if [ -s "$scratch/plan.json" ]; then
  echo "some topics have fewer than $NODES copies: they get as many"
  ask kafka-reassign-partitions.sh --reassignment-json-file "$scratch/plan.json" --execute >/dev/null
  while said=$(ask kafka-reassign-partitions.sh --reassignment-json-file "$scratch/plan.json" --verify); do
    [[ $said == *"still in progress"* ]] || break
    sleep 2
  done
  said=$(ask kafka-topics.sh --describe)
  [ -z "$(plan <<<"$said")" ] # else it is tried again
fi
# Only then may a record wait for two copies: it could not be written where there is one. Who was interrupted comes here as
# well, as copies that are under way count among those that are planned.
until said=$(ask kafka-topics.sh --describe) && [[ ! $said =~ Isr:\ [0-9]*([[:space:]]|$) ]]; do
  echo "waiting until everything has a second copy in sync"
  sleep 3
done
ask kafka-configs.sh --alter --entity-type brokers --entity-default --add-config min.insync.replicas=2 >/dev/null
said=$(ask kafka-topics.sh --describe)
while IFS= read -r line; do # those that have a number of their own
  [[ $line =~ ^Topic:\ ([^$'\t']+)$'\t'.*min\.insync\.replicas=1(,|$) ]] || continue
  ask kafka-configs.sh --alter --entity-type topics --entity-name "${BASH_REMATCH[1]}" \
    --add-config min.insync.replicas=2 >/dev/null </dev/null
done <<<"$said"
echo "each topic has $NODES copies, and a record waits for two"
