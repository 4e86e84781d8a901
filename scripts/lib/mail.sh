# Shared by nobody: the part of scripts/demo that --mail shows, with the demo's own functions.
# shellcheck shell=sh disable=SC2154

postfix_says() { # postfix_says OPTION ... SENDER: to one mail; send.py has the options
    lab exec-abroad /usr/bin/python3 tests/lab/send.py "$@" "u@home.inland" 2>&1
}

# Each is sent at once, and shown in its turn: who sends it, whom Postfix asks, how long it took, and what it said.
send() { # send NUMBER NAME OPTION ... SENDER
    said=$BYWAY_LAB/said.$1.$asks name=$2
    shift 2
    began=$(date +%s%N)
    reply=$(postfix_says "$@") || true
    printf '  %-30s %-8s %5.1f s  %.120s\n' "$name" "$asks" "$(($(date +%s%N) - began))e-9" "$reply" >"$said"
}

send_all() { # send_all domestic|byway: what was said before stands above what is said now
    asks=$1
    printf '\n  %-30s %-8s %7s  %s\n' MAIL ASKS TIME "WHAT POSTFIX SAYS"
    send 1 "a@fine.test" --at 192.0.2.25 $postfix a@fine.test &
    send 2 "a@silent.test" --at 192.0.2.25 $postfix a@silent.test &
    send 3 "a@partner.test" --at 192.0.2.25 $postfix a@partner.test &
    send 4 "a@twice.test, by 203.0.113.35" --at 203.0.113.35 --helo out.twice.test $postfix a@twice.test &
    send 5 "a@no-such-domain.test" --at 192.0.2.25 $postfix a@no-such-domain.test &
    wait
    for number in 1 2 3 4 5; do
        for asked in domestic byway; do
            [ ! -e "$BYWAY_LAB/said.$number.$asked" ] || cat "$BYWAY_LAB/said.$number.$asked"
        done
    done
}

outbound() { # outbound STATUS: what became of the mail that goes out
    seconds=0
    until grep -q "to=<bob@silent.test>.* status=$1" "$BYWAY_LAB/mail.log"; do
        [ $seconds -lt 20 ] || die "Postfix has not logged status=$1 after $seconds s: $(tail -n 1 "$BYWAY_LAB/mail.log")"
        sleep 1
        seconds=$((seconds + 1))
    done
    sed -n "s/.*: to=<bob@silent.test>.* \(status=$1.*\)/  \1/p" "$BYWAY_LAB/mail.log" | tail -n 1
}

must_say() { # must_say NUMBER CODE
    awk -v code="$2" '{ for (i = 2; i < NF; i++) if ($i == "s") exit $(i + 1) != code }' "$BYWAY_LAB/said.$1.$asks" ||
        die "Postfix should say $2 to: $(cat "$BYWAY_LAB/said.$1.$asks")"
}

postfix=198.18.1.25
say "bringing the country up, with a Postfix in it, which looks up whom it talks to"
lab up
lab mail-start domestic
lab exec-inside /usr/bin/python3 tests/lab/send.py $postfix ops@home.inland bob@silent.test >/dev/null
say "sending it mail, some of it from zones that the border drops; that takes 20 s"
title "Postfix asks the domestic resolver"
send_all domestic
for mail in 1:250 2:450 3:450 4:450 5:550; do must_say ${mail%:*} ${mail#*:}; done
title "and keeps what it should deliver to bob@silent.test"
outbound deferred

lab mail-stop
lab byway-start
title "byway reads what Postfix wrote, and finds the zones behind it (bywayctl maillog mail.log)"
ctl maillog "$BYWAY_LAB/mail.log"

lab mail-start byway
lab mail-flush
title "The same Postfix asks byway: before and after"
send_all byway
for mail in 1:250 2:250 3:250 4:250 5:550; do must_say ${mail%:*} ${mail#*:}; done
title "and delivers to bob@silent.test"
outbound sent

for zone in silent.test 113.0.203.in-addr.arpa; do
    seconds=0
    until ctl --json zones --state blocked | grep -q "\"$zone.\""; do
        [ $seconds -lt 25 ] || die "$zone is not known as blocked 25 s after its lookups"
        sleep 1
        seconds=$((seconds + 1))
    done
done
title "What of it byway cures by now (bywayctl maillog mail.log)"
ctl maillog "$BYWAY_LAB/mail.log"
title "The partner whose SPF record needs a blocked zone (bywayctl explain partner.test)"
ctl explain partner.test
