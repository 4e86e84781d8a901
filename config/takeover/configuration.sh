# Part of byway-takeover. The byway.json of a machine that has none; an existing one is never touched.
# shellcheck shell=sh disable=SC2154 # set by byway-takeover

example() {
    for folder in "$parts/../examples" /usr/share/doc/byway/examples; do
        [ ! -e "$folder/$country.json" ] || {
            echo "$folder/$country.json"
            return
        }
    done
    die "there is no example for the country \"$country\" (cn, id, ir, ru or tr)"
}

# Each line of standard input as an element of a JSON list: an object as it is, all else as a string.
elements() {
    while IFS= read -r element; do
        case $element in
        '') continue ;;
        '{'*) ;;
        *[\"\\[:cntrl:]]*) die "not an upstream: $element" ;;
        *) element="\"$element\"" ;;
        esac
        printf '%s%s' "${comma-}" "$element"
        comma=', '
    done
}

# The addresses in byway.json's "domestic" that resolv.conf can name, one a line.
domestic_of_configuration() {
    [ ! -e "$config" ] || tr '\n' ' ' <"$config" | sed -n 's/.*"domestic"[[:space:]]*:[[:space:]]*\[\([^]]*\)\].*/\1/p' | tr '"' '\n' |
        while read -r server; do
            server=${server%:53}
            ! is_address "$server" || echo "$server"
        done
}

configuration() {
    domestic=$(printf '%s\n' "$found" | elements)
    external=$(printf '%s' "$externals" | elements)
    listen=$(free_listen)
    listen=$(echo "$listen" | elements)
    if [ -n "$country" ]; then
        base=$(example)
        domestic="\"domestic\": [$domestic]," external="\"external\": [$external]" listen="${listen:+\"listen\": [$listen],}" \
            awk '/^  "upstreams": \{/ && ENVIRON["listen"] != "" { print "  " ENVIRON["listen"] "\n" }
                /^ *"#domestic"/ { print "    " ENVIRON["domestic"]; next }
                /^ *"external": \["tls:\/\/<address>#<name>"\]/ { print "    " ENVIRON["external"]; next }
                { print }' "$base"
        return
    fi
    cat <<CONFIGURATION
{
  "#": "byway-takeover wrote this file, and does not touch it again; byway.json(5) explains every key.",
  "#": "After a change: bywayd --check, then systemctl reload byway.",
${listen:+  \"listen\": [$listen],
}
  "upstreams": {
    "domestic": [$domestic],
    "external": [$external]
  }
}
CONFIGURATION
}

install_configuration() {
    mkdir -p "$(dirname "$config")"
    new=$(dirname "$config")/.byway.json.byway-takeover
    cp "$work/byway.json" "$new"
    chmod 644 "$new"
    sync "$new"
    ln "$new" "$config" || die "$config was made by somebody else just now, and is left as it is"
    rm -f "$new"
}

tell_ignored() {
    [ -z "$externals" ] || warn "$config is there already: --external is for a new one"
    [ -z "$domestics" ] || warn "$config is there already: --domestic is for a new one"
    [ -z "$country" ] || warn "$config is there already: --country is for a new one"
}

# A dnsmasq on this machine that is all that was found, and takes its own servers from resolv.conf, would ask byway.
refuse_loop() {
    for server in $found; do
        is_loopback "$server" && [ "$(neighbour_at "$server")" = dnsmasq ] && dnsmasq_reads_resolv_conf "$server" || return 0
    done
    [ -z "$found" ] || die "dnsmasq at $server takes its servers from $resolv_conf, which is to name byway: each would ask the other." \
        "Name what byway is to ask by --domestic ADDRESS, or give dnsmasq servers of its own (no-resolv, server=). Nothing was changed"
}

make_configuration() {
    [ -n "$externals" ] || die "there is no $config, and --external is missing: a resolver abroad, best one of your own by TLS," \
        "as in --external \"tls://198.51.100.53#dns.example.net\" (operating.md says how to set it up). Nothing was changed"
    if [ -n "$domestics" ]; then
        found=${domestics%?}
        source="the command line"
    else
        find_domestic
        refuse_loop
    fi
    [ -n "$found" ] || die "there is no $config, and no resolver was found for its \"domestic\": name one by --domestic ADDRESS." \
        "Nothing was changed"
    say "domestic: $(printf '%s\n' "$found" | tr '\n' ' ')(from $source)"
    configuration >"$work/byway.json"
    bywayd -c "$work/byway.json" --check >"$work/said" 2>&1 || {
        sed "s|$work/||" "$work/said" >&2
        die "that would be no usable $config, so nothing was changed"
    }
    sed -n "/warning: user:/d; s|$work/||; /warning/p" "$work/said"
    change "$config is written${country:+, from the example for $country}" install_configuration
}
