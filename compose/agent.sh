#!/bin/sh
# What an agent does: it asks for what it needs, prints the answer with how fresh it is, and sleeps until the answer is another one.
# ROUNDS=2 ends it after two answers; else it goes on.
set -eu
url=${ROWTIDE_URL:-http://127.0.0.1:8080}
rounds=${ROUNDS:-0}

# The newest orders with their customers' names, not older than five seconds by the source's own clock.
question="$url/v1/tables/orders/rows?select=id,status,total,customer(name)&order=placed_at.desc&limit=5&max_lag=5s&wait=20s"

# The tables are there when the connector has written its snapshot.
until curl -fsS --output /dev/null "$url/v1/wait?tables=orders,customers&max_lag=5s&wait=20s" 2>/dev/null; do
    echo "waiting for the tables"
    sleep 1
done

head=$(mktemp)
tag='""'
while :; do
    # 304 and an empty answer when nothing has changed for 20 s.
    answer=$(curl -sS --globoff --dump-header "$head" --header "If-None-Match: $tag" --header "Prefer: wait=20" "$question")
    if [ -n "$answer" ]; then
        echo "$answer"
        tag=$(sed -n 's/^[Ee][Tt]ag: *\([^[:space:]]*\).*/\1/p' "$head")
        rounds=$((rounds - 1))
        if [ "$rounds" -eq 0 ]; then
            exit 0
        fi
    fi
done
