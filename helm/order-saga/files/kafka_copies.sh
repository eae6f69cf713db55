# Gives each topic a copy on every node, where it was made when there were fewer of them, and has a record wait for a second copy
# once there is one. It is safe to repeat, and changes nothing where nothing is to be done.
set -euo pipefail
umask 077
bin=${BIN:-/opt/kafka/bin} tls=${TLS:-/tls} scratch=${SCRATCH:-/tmp}
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
ask() { "$bin/$1" --bootstrap-server "$BROKERS" --command-config "$scratch/client.properties" "${@:2}"; }
have_all() { # each node is registered and takes part
  local said
  said=$("$bin/kafka-cluster.sh" list-endpoints --bootstrap-server "$BROKERS" --command-config "$scratch/client.properties" 2>/dev/null) &&
    [ "$(grep -c '^[0-9].* unfenced ' <<<"$said")" -ge "$NODES" ]
}
topics() { ask kafka-topics.sh --describe 2>"$scratch/error" || { cat "$scratch/error" >&2; return 1; }; }

until have_all; do
  echo "waiting until all $NODES nodes are there"
  sleep 3
done
said=$(topics)
few=$(awk -v nodes="$NODES" -F '\t' '
  /^\tTopic: / {
    split("", of)
    for (i = 2; i <= NF; i++) { colon = index($i, ": "); of[substr($i, 1, colon - 1)] = substr($i, colon + 2) }
    if (split(of["Replicas"], have, ",") >= nodes) next
    list = ""
    for (i = 0; i < nodes; i++) list = list (i ? "," : "") (of["Partition"] + i) % nodes
    printf "%s{\"topic\":\"%s\",\"partition\":%s,\"replicas\":[%s]}", some++ ? "," : "", of["Topic"], of["Partition"], list
  }' <<<"$said")
if [ -n "$few" ]; then
  echo "some topics have fewer than $NODES copies: they get as many"
  echo "{\"version\":1,\"partitions\":[$few]}" >"$scratch/plan.json"
  plan() { ask kafka-reassign-partitions.sh --reassignment-json-file "$scratch/plan.json" "$@" 2>"$scratch/error"; }
  plan --execute >/dev/null || { cat "$scratch/error" >&2; exit 1; }
  until said=$(plan --verify) && ! grep -q 'still in progress' <<<"$said"; do sleep 2; done
  said=$(topics)
fi
# Only now: a record that waits for two copies could not be written where there is one.
ask kafka-configs.sh --alter --entity-type brokers --entity-default --add-config min.insync.replicas=2 >/dev/null
awk -F '\t' '/^Topic: / && /min\.insync\.replicas=1/ { print substr($1, 8) }' <<<"$said" | while read -r topic; do
  ask kafka-configs.sh --alter --entity-type topics --entity-name "$topic" --add-config min.insync.replicas=2 >/dev/null </dev/null
done
echo "each topic has $NODES copies, and a record waits for two"
