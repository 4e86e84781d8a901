# Part of byway-takeover. What else reads resolv.conf, in its own way or only once: put right where that is possible,
# told where it is not.
# shellcheck shell=sh disable=SC2154 # set by byway-takeover

# Postfix's chroots have copies, which its start makes anew.
copy_for_chroots() {
    for copy in /var/spool/postfix*/etc/resolv.conf; do
        [ ! -f "$copy" ] || put "$copy" "$copy is the same" <"$work/resolv.conf"
    done
}

# Mail's programs that have read resolv.conf when they started, by their units: "unit ...".
readers() {
    for process in /proc/[0-9]*; do
        [ "$(readlink "$process/ns/pid" 2>/dev/null)" = "$(readlink /proc/self/ns/pid)" ] || continue
        read -r program 2>/dev/null <"$process/comm" || continue
        case $program in
        master | exim4 | rspamd | amavisd* | spamd | opendkim | opendmarc | openarc | policyd-spf | dovecot | qmail-send | \
            qmail-smtpd | tcpserver | milter-greylist | postgrey | clamd | freshclam | java | nginx | stalwart*)
            unit=$(sed -n 's|.*/\([^/]*\.service\).*|\1|p' "$process/cgroup" 2>/dev/null | head -n 1)
            echo "${unit:-$program}"
            ;;
        esac
    done | sort -u | tr '\n' ' '
}

tell_readers() {
    restart=$(readers)
    ! $changed || [ -z "$restart" ] || say "restart what read $resolv_conf when it started: systemctl restart $restart"
}

tell_containers() { # tell_containers ENGINE SETTING
    if [ -z "$second" ] || is_loopback "$second"; then
        say "$1 gives containers on its bridge 8.8.8.8 where the host has loopback nameservers alone: let byway serve" \
            "the bridge's address (\"listen\", \"allow\"), and put that into $2"
    else
        say "$1's containers on its bridge ask $second alone, for a loopback nameserver is none of theirs"
    fi
}

tell_traps() {
    tell_readers
    if is_running nscd; then
        $dry || nscd -i hosts || true
        say "nscd runs: it was told to forget what it had of hosts, and keeps answers for as long as nscd.conf says"
    fi
    if is_loopback "$ours"; then
        if command -v dockerd >/dev/null || [ -d /etc/docker ]; then
            tell_containers Docker '"dns" of /etc/docker/daemon.json'
        fi
        ! command -v podman >/dev/null || tell_containers podman '"dns_servers" of /etc/containers/containers.conf'
    fi
    ! is_running systemd-resolve || say "systemd-resolved stays in front of programs that ask it (127.0.0.53, nss-resolve), and asks byway"
    ! neighbours | grep -q ' dnsmasq$' || say "dnsmasq runs here: where it asks the nameservers of $resolv_conf, that is byway now;" \
        "if byway asks dnsmasq, give that its own (no-resolv, server=)"
    ! is_running dhcpcd || say "dhcpcd runs here: put \"nohook resolv.conf\" into /etc/dhcpcd.conf, else it writes $resolv_conf"
    [ "$(attributes_of "$resolv_conf")" = - ] || say "$resolv_conf is immutable (chattr), as it was before"
}
