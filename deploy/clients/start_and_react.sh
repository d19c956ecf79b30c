#!/bin/sh
# Start a benchmark and react to its end, with a shell, curl and RabbitMQ's HTTP API.
# RABBITMQ_API is http://user:password@host:15672/api, RABBITMQ_VHOST the vhost's name as it stands in a URL.
set -eu
api=${RABBITMQ_API:-http://guest:guest@127.0.0.1:15672/api} vhost=${RABBITMQ_VHOST:-%2F}
ours=shell-$$-$(date +%s) queue=$vhost/$ours

call() { # METHOD PATH [BODY]
    curl --silent --show-error --fail --request "$1" "$api/$2" --header 'content-type: application/json' --data "${3:-{\}}"
}

# Listen first, then start: an event is told once, to whoever listens at that moment.
call PUT "queues/$queue" '{"auto_delete": false, "durable": true, "arguments": {"x-expires": 600000}}'
trap 'call DELETE "queues/$queue"' EXIT
for verb in completed failed cancelled rejected; do
    call POST "bindings/$vhost/e/evalbus.events/q/$ours" "{\"routing_key\": \"benchmark.$verb.#\"}" >/dev/null
done

benchmark='{"name": "capitals",
    "datasets": [{"name": "two", "rows": [{"said": "Paris", "true": "Paris"}, {"said": "Sydney", "true": "Canberra"}]}],
    "models": [{"name": "recorded", "type": "recorded", "output": "{{ item.said }}"}],
    "metrics": [{"name": "exact-match", "type": "exact-match", "reference": "{{ item.true }}"}]}'
payload=$(printf '{"benchmark": %s}' "$benchmark" | tr '\n' ' ' | sed 's/"/\\"/g')
call POST "exchanges/$vhost/evalbus.commands/publish" "{\"routing_key\": \"benchmark.start\",
    \"properties\": {\"content_type\": \"application/json\", \"delivery_mode\": 2, \"message_id\": \"$ours\", \"correlation_id\": \"$ours\"},
    \"payload_encoding\": \"string\", \"payload\": \"$payload\"}" | grep -q '"routed":true'

for _ in $(seq 120); do
    event=$(call POST "queues/$queue/get" '{"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}' | sed 's/\\"/"/g')
    case $event in *"\"correlation_id\":\"$ours\",\"labels\""*)
        echo "$event" | grep -Eo '"(status|message|mean|metric|model)":("[^"]*"|[0-9.]+|null)' && exit ;;
    [[]]) sleep 0.5 ;; esac
done
echo "nothing was heard within a minute" >&2 && exit 1
