# Shared by nobody: the part of scripts/demo that --cluster shows, with the demo's own functions.
# shellcheck shell=sh disable=SC2034,SC2154
shared=$BYWAY_LAB/redis.sock

# Three mail servers' nodes: mx1 is the lab's own byway, the others stand beside it. Each asks the same domestic resolver.
address_of() { echo "127.0.0.${1#mx}"; }
directory_of() { if [ "$1" = mx1 ]; then echo "$BYWAY_LAB"; else echo "$BYWAY_LAB/$1"; fi; }

ask_node() { # ask_node NODE COMMAND ...: bywayctl
    asked=$(directory_of "$1")
    shift
    lab exec-inside "$PWD/build/bywayctl" -s "$asked/control.sock" "$@"
}

redis() { lab exec-inside redis-cli -s "$shared" "$@"; }

# Ends with the lab, whose namespaces it runs in.
background() { # background LOG COMMAND ...
    logged=$1
    shift
    lab exec-inside setsid "$@" </dev/null >>"$logged" 2>&1 &
}

start_redis() {
    background "$BYWAY_LAB/redis.log" redis-server --port 0 --save '' --dir "$BYWAY_LAB" --unixsocket "$shared" \
        --pidfile "$BYWAY_LAB/redis.pid"
    within 100 "Redis answers" redis_answers
}

redis_answers() { [ -e "$shared" ] && redis ping >/dev/null 2>&1; }

within() { # within TENTHS WHAT COMMAND ...: until COMMAND succeeds
    tenths=$1 what=$2
    shift 2
    until "$@"; do
        tenths=$((tenths - 1))
        [ $tenths -gt 0 ] || die "not in time: $what"
        sleep 0.1
    done
}

is_together() { ask_node "$1" status 2>/dev/null | grep -q '^cluster *connected'; }
is_alone() { ask_node "$1" status | grep -q '^cluster *alone'; }
has_blocked() { ask_node "$1" --json zones --state blocked | grep -q "\"$2.\""; } # has_blocked NODE ZONE
has_pinned() { ask_node "$1" zones show "$2" 2>/dev/null | grep -q pinned; }

start_node() { # start_node NODE
    node=$(directory_of "$1")
    mkdir -p "$node"
    sed "s|@NODE@|$1|" "$BYWAY_LAB/cluster.json" >"$node/byway.json"
    if [ "$1" = mx1 ]; then
        lab byway-start
    else
        sed -i -e "s|\"listen\": .*|\"listen\": [\"$(address_of "$1"):53\"],|" -e "s|$BYWAY_LAB/control.sock|$node/control.sock|" \
            -e "s|$BYWAY_LAB/state|$node/state|" "$node/byway.json"
        background "$node/byway.out" "$PWD/build/bywayd" -c "$node/byway.json"
    fi
    within 100 "$1 is connected" is_together "$1"
}

lookup_at() { lookup "$2" "${3-A}" "$(address_of "$1")" ""; } # lookup_at NODE NAME [TYPE]
mails_at() { mails "$2" "$(address_of "$1")" ""; }

milliseconds() { echo $(($(date +%s%N) / 1000000)); }

# How long after the first node has it the others have it, too.
spread() { # spread ZONE
    within 250 "mx1 knows $1" has_blocked mx1 "$1"
    began=$(milliseconds)
    for other in mx2 mx3; do
        within 20 "$other knows $1" has_blocked $other "$1"
        printf '  %s knows that %s is blocked, %d ms after it was seen at mx1\n' $other "$1" $(($(milliseconds) - began))
    done
}

alone_or_not() {
    for node in mx1 mx2 mx3; do
        ask_node $node status | grep -E '^(cluster|  node) '
    done
}

say "bringing the country up, with a Redis and three nodes in it"
lab up
start_redis
sed "s|\"learning\":|\"cluster\": { \"redis\": \"unix://$shared\", \"vantage\": \"cn\", \"node\": \"@NODE@\" },\n  &|" \
    "$BYWAY_LAB/byway.json" >"$BYWAY_LAB/cluster.json"
for node in mx1 mx2 mx3; do start_node $node; done
heading
title "silent.test is blocked, and nobody knows it yet: mx1 waits for domestic before it asks external"
mails_at mx1 silent.test
title "mx1 confirms it in the background, and tells the others"
spread silent.test
title "mx2 and mx3 have never been asked for it: their first lookups, without the wait"
lookup_at mx2 silent.test MX
lookup_at mx2 mail.silent.test
lookup_at mx3 new.any.silent.test
title "What mx3 knows, and from where (bywayctl zones)"
ask_node mx3 zones

title "Redis is killed. Each node says that it is alone, and goes on"
kill -s KILL "$(cat "$BYWAY_LAB/redis.pid")"
for node in mx1 mx2 mx3; do within 100 "$node is alone" is_alone $node; done
alone_or_not | grep '^cluster'
lookup_at mx2 more.any.silent.test
lookup_at mx2 mail.fine.test
title "Meanwhile mx1 learns that geo.test is blocked, and mx2 is told to send twin.test external"
mails_at mx1 geo.test
within 250 "mx1 knows geo.test" has_blocked mx1 geo.test
ask_node mx2 zones pin twin.test external --note "customer 12" >/dev/null
ask_node mx3 zones

title "Redis is back, and empty: the nodes fill it, and all have all"
start_redis
began=$(milliseconds)
for node in mx1 mx2 mx3; do within 350 "$node is connected again" is_together $node; done
for node in mx1 mx2 mx3; do
    within 50 "$node knows geo.test" has_blocked $node geo.test
    within 50 "$node has the pin of twin.test" has_pinned $node twin.test
    within 50 "$node knows silent.test still" has_blocked $node silent.test
done
printf '  after %d ms; statements in Redis: %s\n' $(($(milliseconds) - began)) "$(redis hlen byway:zones)"
ask_node mx3 zones
lookup_at mx3 new.any.geo.test
lookup_at mx3 new.any.twin.test
title "Who is there (bywayctl status)"
alone_or_not
also="
  build/bywayctl -s $BYWAY_LAB/mx2/control.sock status      the second node's; mx3 has one as well
  redis-cli -s $shared monitor"
