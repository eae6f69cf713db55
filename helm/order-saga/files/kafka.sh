# Starts one node of Kafka: makes its volume where that is new, says when the node is in sync, and ends it when its
# certificate has changed, or whom it believes, so that it is started again with the new one.
#
# There must never be a second cluster beside one that is only away. So a new volume is formatted in two cases alone: to
# join a cluster that answers, or, by node 0, to form one after every other node has said that its volume is new as well.
umask 077
bin=${ORDER_SAGA_BIN:-/opt/kafka/bin} tls=${ORDER_SAGA_TLS:-/tls} secured=${ORDER_SAGA_SECURED:-/secured}
scratch=${ORDER_SAGA_SCRATCH:-/tmp}
kept=$secured/keys.pem # a key and its certificate in one file, as Kafka wants them
believed=$secured/ca.crt # the authorities as they were at the start: Kafka does not look again
id=$KAFKA_NODE_ID volume=$KAFKA_LOG_DIRS in_sync=$scratch/in-sync
IFS=, read -ra controllers <<<"$KAFKA_CONTROLLER_QUORUM_BOOTSTRAP_SERVERS" # by their nodes' numbers, as are
IFS=, read -ra sayers <<<"$NEW_NODES"                                       # where a node with a new volume says so
new=this-volume-is-new----                                                  # the cluster that it says it is of
[[ $KAFKA_ADVERTISED_LISTENERS =~ BROKERS://([^,]+) ]] && brokers=${BASH_REMATCH[1]}
[ -n "$KAFKA_BROKER_RACK" ] || unset KAFKA_BROKER_RACK

present() { cat "$tls/tls.key"; echo; cat "$tls/tls.crt"; }
pause() { sleep "$1" & wait -n $! "${kafka:-$!}"; } # it also returns when Kafka ends
listens() { timeout 3 bash -c ": <>/dev/tcp/${1%:*}/${1##*:}" 2>/dev/null; }

properties() { # the settings that the variables say, as the image reads them
  local name key
  for name in $(compgen -v KAFKA_); do
    case $name in KAFKA_OPTS | KAFKA_*_OPTS) continue ;; esac
    key=${name#KAFKA_} key=${key//___/-} key=${key//__/%} key=${key//_/.} key=${key//%/_}
    printf '%s=%s\n' "${key,,}" "${!name}"
  done
}

small=(KAFKA_HEAP_OPTS=-Xmx128m KAFKA_LOG4J_OPTS=-Dlog4j2.configurationFile=/etc/kafka/docker/tools-log4j2.yaml)
tool() { env "${small[@]}" "$bin/$@"; } # tool NAME OPTION...: one of Kafka's own
ask() { # ask ADDRESS NAME OPTION...: the controllers, by that at ADDRESS
  tool "$2" --bootstrap-controller "$1" --command-config "$scratch/client.properties" "${@:3}" 2>/dev/null
}
let_join() { # have the quorum of an earlier version keep its voters itself; in any other nothing changes
  ask "$1" kafka-features.sh upgrade --feature kraft.version=1 >/dev/null
}
cluster_at() { # the id of the cluster of which a controller at ADDRESS knows the leader
  local said
  listens "$1" && said=$(tool kafka-cluster.sh cluster-id --bootstrap-controller "$1" \
    --command-config "$scratch/client.properties" 2>/dev/null) &&
    [[ $said =~ "Cluster ID: "([A-Za-z0-9_-]+) ]] && echo "${BASH_REMATCH[1]}"
}

format() { # format CLUSTER OPTION: beside the volume's folder, so that it is there whole or not at all
  rm -rf "$volume.making"
  { properties; echo "log.dirs=$volume.making"; } >"$scratch/format.properties"
  tool kafka-storage.sh format --config "$scratch/format.properties" --cluster-id "$1" "$2" >"$scratch/format.log" 2>&1 ||
    { cat "$scratch/format.log"; exit 1; }
  mkdir -p "$volume" && rmdir "$volume" && mv "$volume.making" "$volume"
}

say_new() { # a controller that holds nothing and listens at a port of its own: the others ask it for its cluster
  local host
  [[ $KAFKA_LISTENERS =~ CONTROLLER://([^,]*): ]] && host=${BASH_REMATCH[1]}
  rm -rf "$scratch/new"
  {
    properties
    echo "process.roles=controller"
    echo "log.dirs=$scratch/new"
    echo "listeners=CONTROLLER://$host:${sayers[id]##*:}"
    echo "advertised.listeners=CONTROLLER://${sayers[id]}"
    echo "controller.quorum.bootstrap.servers=${sayers[id]}"
    echo "controller.quorum.auto.join.enable=false"
  } >"$scratch/new.properties"
  tool kafka-storage.sh format --config "$scratch/new.properties" --cluster-id "$new" --standalone >/dev/null 2>&1
  # Not by tool: a function would run in a shell of its own, and that alone would be ended, not the program.
  env "${small[@]}" "$bin/kafka-server-start.sh" "$scratch/new.properties" >"$scratch/new.log" 2>&1 &
  saying=$!
}

make_volume() {
  local node cluster others=$((${#controllers[@]} - 1)) are_new why said= rounds=0
  while :; do
    are_new=0 why=
    for node in "${!controllers[@]}"; do
      [ "$node" != "$id" ] || continue
      if cluster=$(cluster_at "${controllers[node]}") && let_join "${controllers[node]}"; then
        echo "the volume is new: this node joins the cluster $cluster, which node $node is of"
        format "$cluster" --no-initial-controllers
        return
      elif listens "${controllers[node]}"; then
        why+=" Node $node has a cluster, but knows no leader of it: too few of its nodes are there."
      elif [ "$id" != 0 ]; then
        [ "$node" != 0 ] || why+=" Node 0 does not answer yet."
      elif [ "$(cluster_at "${sayers[node]}")" = "$new" ]; then
        ((are_new += 1))
      else
        why+=" Node $node does not answer yet, neither with a cluster nor that its volume is new."
      fi
    done
    if [ "$id" = 0 ] && [ "$are_new" = "$others" ]; then
      cluster=$(head -c 16 /dev/urandom | base64 | tr '/+' '_A')
      cluster=${cluster%==}
      echo "the volume is new, and those of all others ($others): this node forms the cluster $cluster"
      format "$cluster" --standalone
      return
    fi
    if [ "$why" != "$said" ]; then
      said=$why
      echo "the volume of this node is new, and it starts no cluster of its own, for there may be one:$why It waits." \
        "Where the volumes of more than one node are lost, see docs/kafka-nodes.md, \"Two lost volumes\"."
    fi
    [ "$id" = 0 ] || { [ -n "$saying" ] && kill -0 "$saying" 2>/dev/null; } || say_new
    pause $(((rounds += 1) < 30 ? 2 : 10))
  done
}

static_voters() { # the voters that the volume has of an earlier version, which wrote them into the settings
  local state=$volume/__cluster_metadata-0/quorum-state node
  [[ -r $state && $(<"$state") =~ \"currentVoters\":\[([^]]+)\] ]] || return
  for node in "${!controllers[@]}"; do
    [[ ${BASH_REMATCH[1]} != *"\"voterId\":$node}"* ]] || echo -n "$node@${controllers[node]},"
  done
}

is_in_sync() { # this node votes, and has a copy of whatever it is to have one of
  local line status directory own="(^|,)$id(,|$)"
  [ "${#controllers[@]}" -gt 1 ] || return 0
  [[ $(<"$volume/meta.properties") =~ directory\.id=([A-Za-z0-9_-]+) ]] && directory=${BASH_REMATCH[1]}
  status=$(ask "${controllers[id]}" kafka-metadata-quorum.sh describe --status) || return 1
  if [[ $status != *directoryId* ]]; then
    let_join "${controllers[id]}"
    return 1
  fi
  [[ ${status#*CurrentVoters:} == *"\"id\": $id, \"directoryId\": \"$directory\""*CurrentObservers:* ]] || return 1
  status=$(tool kafka-topics.sh --bootstrap-server "$brokers" --command-config "$scratch/client.properties" \
    --describe --under-replicated-partitions 2>/dev/null) || return 1
  while IFS= read -r line; do
    [[ $line =~ Replicas:\ ([0-9,]+).*Isr:\ ?([0-9,]*) ]] || continue
    [[ ! ${BASH_REMATCH[1]} =~ $own ]] || [[ $line =~ Isr:\ ([0-9]+,)*$id([^0-9]|$) ]] || return 1
  done <<<"$status"
}
settle() {
  local wait=2 # seconds
  [[ $KAFKA_LISTENERS =~ CLIENTS://([^,:]*):([0-9]+) ]]
  until listens "${BASH_REMATCH[1]:-127.0.0.1}:${BASH_REMATCH[2]}"; do sleep 1; done
  until is_in_sync; do
    sleep "$wait" # each look starts programs, and a lost volume may take hours to be filled
    wait=$((wait < 20 ? wait * 2 : 30))
  done
  : >"$in_sync"
}

trap 'kill -TERM ${kafka:-} ${saying:-} ${settling:-} 2>/dev/null; [ -n "$kafka" ] || exit' TERM
rm -f "$in_sync"
present >"$kept"
cat "$tls/ca.crt" >"$believed"
{ echo security.protocol=SSL; echo default.api.timeout.ms=15000; echo request.timeout.ms=10000; } >"$scratch/client.properties"
while IFS= read -r line; do
  case $line in ssl.*) echo "$line" ;; esac
done < <(properties) >>"$scratch/client.properties"

if [ ! -e "$volume/meta.properties" ]; then
  if [ -n "$(ls -A "$volume" 2>/dev/null)" ]; then
    echo "$volume has no meta.properties, and is not empty: it is not formatted over what is in it. Give the node its files" \
      "back, or an empty volume."
    exit 1
  fi
  make_volume
  if [ -n "$saying" ]; then # it holds nothing, so nothing is waited for
    { kill -KILL "$saying" && wait "$saying"; } 2>/dev/null
    rm -rf "$scratch/new"
  fi
fi
voters=$(static_voters)
if [ -n "$voters" ]; then
  export KAFKA_CONTROLLER_QUORUM_VOTERS=${voters%,}
else
  export KAFKA_CONTROLLER_QUORUM_AUTO_JOIN_ENABLE=true
fi
properties >"$scratch/server.properties"
[ ! -e /opt/kafka/kafka.jsa ] || export KAFKA_JVM_PERFORMANCE_OPTS=-XX:SharedArchiveFile=/opt/kafka/kafka.jsa # starts sooner
KAFKA_LOG4J_OPTS=-Dlog4j2.configurationFile=/etc/kafka/docker/log4j2.yaml \
  "$bin/kafka-server-start.sh" "$scratch/server.properties" & # the image's own start knows no quorum but a static one
kafka=$!
settle &
settling=$!
while kill -0 "$kafka" 2>/dev/null; do
  pause 10
  if ! { present | cmp -s - "$kept" && cmp -s "$tls/ca.crt" "$believed"; }; then
    echo "the certificate, or an authority, has changed: Kafka is ended in $((id * 120)) seconds, to be started again with it"
    pause $((id * 120))
    kill -TERM "$kafka"
    break
  fi
done
while kill -0 "$kafka" 2>/dev/null; do wait "$kafka"; done
kill "$settling" 2>/dev/null
