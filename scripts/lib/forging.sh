# Shared by nobody: the part of scripts/demo that --forging shows, with the demo's own functions.
# shellcheck shell=sh disable=SC2154
domestic=198.18.1.53 abroad=198.51.100.53 strangers="192.0.2.66 192.0.2.67 192.0.2.68"

crowd=500 forged=50 # zones m1.test to m500.test, of which the first 50 are on the border's list
canary=203.0.113.251 # abroad, where nobody listens

must_be() { # must_be NAME TYPE ANSWER: at byway
    said=$(lab exec-inside dig +tries=1 +time=7 +short "$1" "$2")
    [ "$said" = "$3" ] || die "byway says \"$said\" for $1 $2, and \"$3\" is true"
}

# What mail servers ask about hosts of the crowd: 5,000 questions, asked twice, so that the cache has its say.
questions() {
    awk -v crowd=$crowd 'BEGIN {
        for (i = 1; i <= crowd; i++)
            for (host = 1; host <= 4; host++) {
                print "h" host ".any.m" i ".test MX\nh" host ".any.m" i ".test A"
                if (host > 2) print "h" host ".any.m" i ".test TXT"
            }
    }'
}

# Ten clients at once, each with every tenth question; a line for each reply: status, and the answer if there is any.
# Each has an address of its own, for digs share ports, and then one gets what is for the other.
ask_all() {
    questions >"$BYWAY_LAB/questions"
    split -d -a 1 -n r/10 "$BYWAY_LAB/questions" "$BYWAY_LAB/questions."
    # shellcheck disable=SC2016 # the inner shell's
    lab exec-inside sh -c 'for part in "$0".?; do
            dig -b "127.0.1.1${part##*.}" +tries=1 +time=7 +nocookie +noall +comments +answer @127.0.0.1 -f "$part" >"$part.said" &
        done
        wait' "$BYWAY_LAB/questions"
    awk 'function tell() { if (status != "") print status, answer }
        /status:/ { tell(); status = $6; answer = "" }
        /no servers could be reached/ { tell(); status = "SILENCE"; answer = "" }
        /^[^;]/ && NF > 4 { answer = $4 " " $NF }
        END { tell() }' "$BYWAY_LAB"/questions.*.said
    rm "$BYWAY_LAB"/questions.*
}

count() { # count REGULAR-EXPRESSION: of the lines of ask_all
    grep -cE "$1" "$BYWAY_LAB/heard" || true
}

say "bringing the country up, with a border that forges answers for fine.test, home.inland and $forged of $crowd zones"
lab up $crowd
# shellcheck disable=SC2046,SC2086 # one word an address
lab inject $(printf -- '--address %s ' $strangers) fine.test home.inland $(seq -f m%g.test $forged)
lab external-by tls
heading
title "Without byway, domestic asked: its own questions cross the border. No MX, so mail goes to the address: a stranger's"
lookup fine.test A $domestic domestic
mails fine.test $domestic domestic
title "Without byway, a resolver abroad asked in the clear: MX and SPF are answered by an address"
mails fine.test $abroad plain
title "home.inland is on the border's list as well, but its servers are inside"
mails home.inland $domestic domestic

lab byway-start
title "With byway, external by TLS: what goes that way nobody forges (bywayctl zones pin fine.test external)"
ctl zones pin fine.test external --note "forged at the border"
mails fine.test
title "What is not forged, and what is served inside, stays home"
mails bulk.example
mails home.inland
for zone in fine.test home.inland bulk.example; do
    must_be "$zone" MX "10 mail.$zone."
    must_be "mail.$zone" A 192.0.2.25
    must_be "$zone" TXT '"v=spf1 mx ip4:192.0.2.0/24 -all"'
    must_be "_dmarc.$zone" TXT '"v=DMARC1; p=reject"'
done

title "With a canary, byway sees by itself what the border forges: nothing is pinned any more"
ctl zones unpin fine.test >/dev/null
ctl cache flush --all >/dev/null
lab byway-stop
sed -i "s|\"learning\":|\"forged\": { \"canary\": \"$canary\" },\n  &|" "$BYWAY_LAB/byway.json"
build/bywayd -c "$BYWAY_LAB/byway.json" --check >"$BYWAY_LAB/check" 2>&1 ||
    die "this bywayd recognises no forged answers yet: $(head -n 1 "$BYWAY_LAB/check")"
lab byway-start
mails fine.test
mails home.inland
for zone in fine.test home.inland bulk.example; do
    must_be "$zone" MX "10 mail.$zone."
    must_be "mail.$zone" A 192.0.2.25
    must_be "$zone" TXT '"v=spf1 mx ip4:192.0.2.0/24 -all"'
done
say "asking 10,000 questions in $crowd zones, $forged of them forged"
{ ask_all; ask_all; } >"$BYWAY_LAB/heard"
true=$(count '^NOERROR, (A 192\.0\.2\.99|MX mail\.m[0-9]+\.test\.|TXT "any")$')
failed=$(count '^(SERVFAIL|SILENCE)')
false=$(($(count '') - true - failed))
printf '  %s true, %s untrue, %s failed\n' "$true" "$false" "$failed"
[ "$false" = 0 ] || die "$false lookups were answered by what the border forges, or by an untrue \"there is none\""
[ "$true" = 10000 ] || die "only $true of 10,000 lookups were answered"
title "What byway has learned (bywayctl zones): forged zones, and no other"
ctl zones | head -n 6
healthy=$(ctl --json zones | grep -cE "\"zone\": ?\"m(5[1-9]|[6-9].|[1-9]..)\.test" || true)
[ "$healthy" = 0 ] || die "$healthy healthy zones are listed"
abroad=$(grep -cE ' info: 198\.18\.1\.[0-9]+ [^ ]*m(5[1-9]|[6-9][0-9]|[1-9][0-9][0-9])\.test\. ' "$BYWAY_LAB/external.log" || true)
printf '  external was asked about healthy zones %s times\n' "$abroad"
[ "$abroad" = 0 ] || die "external was asked about healthy zones"
