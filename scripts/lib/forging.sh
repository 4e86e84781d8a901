# Shared by nobody: the part of scripts/demo that --forging shows, with the demo's own functions.
# shellcheck shell=sh disable=SC2154
domestic=198.18.1.53 abroad=198.51.100.53 strangers="192.0.2.66 192.0.2.67 192.0.2.68"

must_be() { # must_be NAME TYPE ANSWER: at byway
    said=$(lab exec-inside dig +tries=1 +time=7 +short "$1" "$2")
    [ "$said" = "$3" ] || die "byway says \"$said\" for $1 $2, and \"$3\" is true"
}

say "bringing the country up, with a border that forges answers for fine.test and home.inland"
lab up
# shellcheck disable=SC2046,SC2086 # one word an address
lab inject $(printf -- '--address %s ' $strangers) fine.test home.inland
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
