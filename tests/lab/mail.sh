# Shared by tests/lab/lab alone: the mail servers of the country, with the lab's own functions and addresses.
# shellcheck shell=sh disable=SC2016,SC2154 # the dollars of inner shells are theirs

mail_address=198.18.1.25
exim_address=198.18.1.26 # and what else looks at mail
desk_address=10.0.0.7 # a machine inside with a private address
tls_address=192.0.2.26
senders="192.0.2.25 203.0.113.35 192.0.2.44" # mail hosts abroad: of most zones, of twice.test, and one that is listed

needs() { # needs OPTION PROGRAM ...: who installs them
    option=$1
    shift
    for program in "$@"; do
        command -v "$program" >/dev/null || die "$program is missing; scripts/test${option:+ and scripts/demo $option} installs it"
    done
}

# Where mail comes from and goes to: abroad are the addresses that the zones' mail hosts have.
make_mail_hosts() {
    ! alive sink || return 0
    chmod 711 "$dir" # its programs' users have to get at what is theirs
    cp "$here/config/nsswitch.conf" "$dir"
    in_ns border ip route replace 192.0.2.0/24 via 198.18.0.2
    in_ns inside ip address replace $mail_address/24 dev border
    in_ns inside ip address replace $exim_address/24 dev border
    in_ns inside ip address replace $desk_address/32 dev lo
    for sender in $senders $tls_address; do
        in_ns abroad ip address replace "$sender/32" dev lo
    done
    start sink abroad smtp-sink -u nobody "${senders%% *}:25" 100
}

# At domestic the C library gives a question 4 s instead of 10: what fails in the lab is to fail soon.
resolver_for() { # resolver_for PROGRAM domestic|byway: its resolv.conf
    case $2 in
    domestic) resolver=$domestic patience="options timeout:2" ;;
    byway) resolver=127.0.0.1 patience="" ;;
    *) die "$1 asks domestic or byway, not $2" ;;
    esac
    printf 'nameserver %s\n%s\n' "$resolver" "$patience" >"$dir/$1.resolv"
}

start_asking() { # start_asking PROGRAM COMMAND ...: inside, with its own resolv.conf, and users if it has any of its own
    asking=$1
    shift
    start "$asking" inside sh -e -c '
        mount --bind "$0.resolv" /etc/resolv.conf
        mount --bind "${0%/*}/nsswitch.conf" /etc/nsswitch.conf
        for file in passwd group; do
            [ ! -e "$0.$file" ] || mount --bind "$0.$file" /etc/$file
        done
        exec "$@"' "$dir/$asking" "$@"
}

listens() { # listens ADDRESS PORT
    in_ns inside ss -Hltn "src $1:$2" | grep -q LISTEN
}

# --- Postfix ---

make_postfix() {
    mkdir -p "$dir/mail/etc" "$dir/mail/queue" "$dir/mail/data"
    chown postfix "$dir/mail/data"
    for file in "$here"/config/postfix/*; do
        fill "$file" mail $mail_address >"$dir/mail/etc/${file##*/}"
    done
}

mail_start() { # mail_start domestic|byway [SETTING=VALUE ...]
    ! alive postfix || die "Postfix runs already"
    needs --mail postfix smtp-sink policyd-spf
    make_mail_hosts
    make_postfix
    resolver_for postfix "${1-}"
    shift
    printf '%s\n' "$@" >>"$dir/mail/etc/main.cf"
    # It goes into the background by itself once it serves, and tells its number.
    in_ns inside sh -e -c '
        mount --bind "$1" /etc/resolv.conf
        mount --bind "$2" /etc/nsswitch.conf
        exec postfix -c "$0" start' "$dir/mail/etc" "$dir/postfix.resolv" "$dir/nsswitch.conf" </dev/null >"$dir/postfix.out" 2>&1 ||
        die "Postfix did not start: $(tail -n 1 "$dir/mail.log" "$dir/postfix.out")"
    tr -d ' ' <"$dir/mail/queue/pid/master.pid" >"$dir/postfix.pid"
}

# Abroad, a Postfix that takes all mail by TLS; it writes DIRECTORY/taker.log.
taker_start() {
    ! alive taker || return 0
    make_mail_hosts
    mkdir -p "$dir/taker/etc" "$dir/taker/queue" "$dir/taker/data"
    chown postfix "$dir/taker/data"
    fill "$here/config/taker/main.cf" taker $tls_address >"$dir/taker/etc/main.cf"
    sed '/^policyd-spf/,$d' "$here/config/postfix/master.cf" >"$dir/taker/etc/master.cf"
    in_ns abroad postfix -c "$dir/taker/etc" start </dev/null >"$dir/taker.out" 2>&1 ||
        die "the Postfix abroad did not start: $(tail -n 1 "$dir/taker.log" "$dir/taker.out")"
    tr -d ' ' <"$dir/taker/queue/pid/master.pid" >"$dir/taker.pid"
}

# --- others ---

# Debian's packages of Exim and Postfix exclude each other. So it is only unpacked, and so is its configuration, which
# it uses as far as a file of the lab's says.
exim_start() { # exim_start domestic|byway
    ! alive exim || die "Exim runs already"
    unpacked=$root/build/unpacked
    needs "" "$unpacked/usr/sbin/exim4"
    make_mail_hosts
    resolver_for exim "$1"
    # The program is built for a user and a group of this name.
    for file in passwd group; do
        sed 's/^mail:\(.*\)/&\nDebian-exim:\1/' /etc/$file >"$dir/exim.$file"
    done
    mkdir -p "$dir/exim"
    chown mail "$dir/exim"
    for file in exim.conf reject.acl; do
        fill "$here/config/exim/$file" "$unpacked" $exim_address >"$dir/$file"
    done
    start_asking exim "$unpacked/usr/sbin/exim4" -C "$dir/exim.conf" -bdf -q2s
    await exim listens $exim_address 25
}

rspamd_start() { # rspamd_start domestic|byway
    ! alive rspamd || die "rspamd runs already"
    needs "" rspamd rspamc
    make_mail_hosts
    resolver_for rspamd "$1"
    mkdir -p "$dir/rspamd/local.d" "$dir/rspamd/data"
    chown -R _rspamd "$dir/rspamd"
    for file in "$here"/config/rspamd/*; do
        fill "$file" rspamd $exim_address >"$dir/rspamd/local.d/${file##*/}"
    done
    start_asking rspamd rspamd -f -u _rspamd -g _rspamd --var=LOCAL_CONFDIR="$dir/rspamd" --var=DBDIR="$dir/rspamd/data" \
        --var=RUNDIR="$dir/rspamd/data" --var=LOGDIR="$dir/rspamd/data"
    await rspamd listens $exim_address 11333
}
