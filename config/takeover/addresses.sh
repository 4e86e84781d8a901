# Part of byway-takeover. Addresses: which of byway's resolv.conf can name, who serves port 53 here, which resolvers
# this machine asks now, and what the new resolv.conf says.
# shellcheck shell=sh disable=SC2154 # set by byway-takeover

# What resolv.conf can have behind "nameserver": the C library takes no notice of anything else, and would ask the others.
is_address() {
    byte='(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])'
    four="$byte(\\.$byte){3}"
    group='[0-9A-Fa-f]{1,4}'
    groups="($group(:$group)*)?"
    case $1 in
    *:*%) false ;;
    *:*) # an IPv4 address at its end stands for two groups; at least one group stands where "::" is
        echo "${1%%%*}" | sed -E "s/:$four\$/:0:0/" | grep -vE '(:.*){9}|^[^:].*(:.*){8}[^:]$' |
            grep -qE "^(($group:){7}$group|$groups::$groups)\$"
        ;;
    *) echo "$1" | grep -qE "^$four\$" ;;
    esac
}

is_loopback() { case $1 in 127.* | ::1) true ;; *) false ;; esac }

nameservers_in() { # nameservers_in FILE ...
    sed -n 's/^[[:space:]]*nameserver[[:space:]]\{1,\}\([^[:space:]#;]\{1,\}\).*/\1/p' "$@" 2>/dev/null || true
}

# "listen" of bywayctl --json status, one a line.
served() { sed -n 's/.*"listen": *\[//p' | sed 's/"\].*//' | tr ',' '\n' | tr -d '" '; }

# nameserver_among LISTEN ...: the one that programs of this machine are best told; nothing: none has port 53.
nameserver_among() {
    for wanted in '127.*:53' '0.0.0.0:53' '[[]::1]:53' '[[]::]:53' '*:53'; do
        for one; do
            # shellcheck disable=SC2254 # a pattern
            case $one in
            $wanted)
                case $one in
                0.0.0.0:53) echo 127.0.0.1 ;;
                '[::]:53') echo ::1 ;;
                *) echo "$one" | sed 's/:53$//; s/^\[//; s/\]$//' ;;
                esac
                return
                ;;
            esac
        done
    done
}

# Who serves port 53 here, byway apart: "ADDRESS PROGRAM", one a line.
neighbours() {
    command -v ss >/dev/null || return 0
    { ss -Hlunp 'sport = :53' && ss -Hltnp 'sport = :53'; } 2>/dev/null | awk '!/"bywayd"/ {
        address = $4
        sub(/:53$/, "", address); sub(/%.*/, "", address); gsub(/[][]/, "", address)
        program = match($0, /\(\("[^"]*"/) ? substr($0, RSTART + 3, RLENGTH - 4) : "another program"
        print (address == "*" ? "0.0.0.0" : address), program
    }' | sort -u
}

neighbour_at() { neighbours | awk -v address="$1" '$1 == address { sub(/^[^ ]* /, ""); print; exit }'; }

# Whether the dnsmasq that serves that address has no word, in its arguments or its configuration, of another file.
dnsmasq_reads_resolv_conf() { # dnsmasq_reads_resolv_conf ADDRESS
    case $1 in *:*) at="[$1]" ;; *) at=$1 ;; esac
    process=$(ss -Hlunp "src $at and sport = :53" | sed -n 's/.*"dnsmasq",pid=\([0-9]*\).*/\1/p' | head -n 1)
    [ -n "$process" ] || return 1
    tr '\0' '\n' <"/proc/$process/cmdline" >"$work/arguments"
    files=$(sed -n 's/^--conf-file=//p; s/^-C\(.\)/\1/p; /^-C$/{n;p;}' "$work/arguments")
    folders=$(sed -n 's/^--conf-dir=//p; s/^-7\(.\)/\1/p; /^-7$/{n;p;}' "$work/arguments" | sed 's/,.*//')
    files=${files:-/etc/dnsmasq.conf}
    # shellcheck disable=SC2086 # one word a file
    folders="$folders $(sed -n 's/^[[:space:]]*conf-dir[[:space:]]*=[[:space:]]*\([^,[:space:]]*\).*/\1/p' $files 2>/dev/null)"
    for folder in $folders; do
        files="$files $(echo "$folder"/*)"
    done
    # shellcheck disable=SC2086 # one word a file
    ! { sed 's/^--//; s/^-R$/no-resolv/; s/^-r\(.*\)/resolv-file=\1/' "$work/arguments" && cat $files 2>/dev/null; } |
        sed 's/[[:space:]]//g; s/#.*//' | grep -v "^resolv-file=$resolv_conf\$" | grep -qE '^(no-resolv$|resolv-file=)'
}

# What byway is to listen on that finds others at port 53: addresses, one a line; nothing: the default is free.
free_listen() {
    who=$(neighbour_at 0.0.0.0)
    [ -z "$who" ] || die "$who serves port 53 of every address of this machine: end it, or let it serve one (127.0.0.1) alone"
    [ -n "$(neighbour_at 127.0.0.1)$(neighbour_at ::1)$(neighbour_at ::)" ] || return 0
    for last in 1 2 3 4 5 6 7 8 9; do
        [ -z "$(neighbour_at 127.0.0.$last)" ] || continue
        echo "127.0.0.$last:53"
        return
    done
    die "port 53 of 127.0.0.1 to 127.0.0.9 is taken"
}

# Where a byway that does not run yet would serve, for a dry run.
would_listen() {
    if [ -e "$config" ]; then
        found=$(tr '\n' ' ' <"$config" | sed -n 's/.*"listen"[[:space:]]*:[[:space:]]*\[//p' | sed 's/"[[:space:]]*\].*//' |
            tr ',' '\n' | tr -d '" ')
    else
        found=$(free_listen)
    fi
    echo "${found:-127.0.0.1:53}"
}

is_served() { # is_served LOOPBACK-ADDRESS: by another than byway
    all=
    [ "$1" != ::1 ] || all=$(neighbour_at ::)
    [ -n "$all$(neighbour_at "$1")$(neighbour_at 0.0.0.0)" ]
}

# Where byway serves port 53.
own_addresses() { ctl --json status 2>/dev/null | served | sed -n 's/:53$//p' | sed 's/^\[//; s/\]$//'; }

# The same in $work/own, with each of this machine's where byway serves all of a family.
know_own() {
    own_addresses >"$work/own"
    for family in "-4 0.0.0.0" "-6 ::"; do
        ! grep -qxF "${family#* }" "$work/own" || ip -o "${family% *}" address | awk '{ sub("/.*", "", $4); print $4 }' >>"$work/own"
    done
}

# Those of the addresses on standard input, one a line, that are none of byway's ($work/own); fails where there are none.
without_own() {
    all=
    ! grep -qxF 0.0.0.0 "$work/own" || all='^127\.'
    grep -vxFf "$work/own" | grep -vE "${all:-^$}"
}

# Those of the nameservers on standard input that byway may ask: not itself, no stub that would come back to it, none on
# this machine that nobody serves.
askable() {
    own=$(own_addresses)
    while read -r server; do
        case $server in 127.0.0.53 | 127.0.0.54 | 0.0.0.0 | ::) continue ;; esac
        is_address "$server" || continue
        ! echo "$own" | grep -qxF "$server" || continue
        ! is_loopback "$server" || is_served "$server" || continue
        echo "$server"
    done | awk '!seen[$0]++' | head -n 8
}

lease_servers() {
    awk '/^lease/ { found = "" } /option domain-name-servers/ { sub(/.*domain-name-servers /, ""); found = $0 } END { print found }' \
        /var/lib/dhcp/*.leases 2>/dev/null | tr -d ' ;' | tr ',' '\n'
}

# The resolvers that this machine asks now, or did before it was taken over. The first place that names one is believed;
# `source` is which.
find_domestic() {
    number=$(number_of "$resolv_conf")
    for source in /run/NetworkManager/no-stub-resolv.conf /run/systemd/resolve/resolv.conf "$resolv_conf" \
        "${number:+$state/$number}" /run/NetworkManager/resolv.conf /run/resolvconf/interface /run/resolvconf/interfaces \
        /var/lib/dhcp; do
        case $source in
        /run/NetworkManager/no-stub*) [ "$(manager_of_resolv_conf)" = networkmanager ] || continue ;;
        /run/systemd/*) [ "$(manager_of_resolv_conf)" = resolved ] || continue ;;
        esac
        case $source in
        '') continue ;;
        */interface | */interfaces) found=$(nameservers_in "$source"/* | askable) ;;
        /var/lib/dhcp) found=$(lease_servers | askable) ;;
        *) found=$(nameservers_in "$source" | askable) ;;
        esac
        [ -z "$found" ] || return 0
    done
    source='' found=''
}

# Which options of timeout are none for byway, an expression of awk: while the first of two is silent the other is asked
# soon, and both are asked again for longer than byway takes.
short_timeout() { if [ -n "$second" ]; then echo '^timeout:[01]$'; else echo '^timeout:[0-4]$'; fi; }

is_alone() { is_loopback "$ours" && { [ -z "$second" ] || is_loopback "$second"; }; }

# The options of the old resolv.conf that the new one does not have.
left_out() {
    alone=1
    is_alone || alone=0
    awk -v alone=$alone -v second="$second" -v short="$(short_timeout)" '$1 == "options" {
        for (i = 2; i <= NF; i++) {
            if ($i ~ short)
                printf ", without %s: byway may take 4.5 s", $i
            if ($i == "trust-ad" && !alone)
                printf ", without trust-ad: %s is another machine", second
        }
    }' "$work/before"
}

# The new resolv.conf. On standard input is the old one, whose lines but for nameservers stay.
resolv_conf_lines() {
    echo "# byway-takeover points this machine at byway; what was here before: byway-takeover --undo"
    for server in "$ours" $second; do
        echo "nameserver $server"
    done
    alone=1
    is_alone || alone=0
    awk -v alone=$alone -v second="$second" -v short="$(short_timeout)" '
        /^[ \t]*([#;]|nameserver|$)/ { next }
        $1 == "options" {
            for (i = 2; i <= NF; i++)
                if ($i !~ short && $i != "trust-ad" && !seen[$i]++) {
                    options = options " " $i
                    timed = timed || $i ~ /^timeout:/
                }
            next
        }
        { print }
        END {
            if (!seen["edns0"])
                options = options " edns0"
            if (second != "" && !timed)
                options = options " timeout:2" (options ~ / attempts:/ ? "" : " attempts:3")
            print "options" options (alone ? " trust-ad" : "")
        }'
}
