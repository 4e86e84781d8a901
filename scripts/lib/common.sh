# Shared by the scripts, which source it from the project's root: messages, options, Debian packages.
# shellcheck shell=sh disable=SC2034 # what it sets is used by those who source it

verb=$(basename "$0")

say() { echo "$verb: $*"; }

die() {
    echo "$verb: $*" >&2
    exit 1
}

wrong_usage() {
    echo "$verb: $* (see scripts/$verb --help)" >&2
    exit 2
}

build_packages="gcc meson ninja-build pkg-config libc6-dev libuv1-dev libldns-dev libjansson-dev libpsl-dev libidn2-dev libssl-dev libnghttp2-dev publicsuffix
    liburcu-dev libsystemd-dev libcap-ng-dev libmicrohttpd-dev zlib1g-dev
    libhiredis-dev"
package_packages="debhelper dpkg-dev lintian xz-utils"
image_packages="mmdebstrap buildah"
ansible_packages="ansible ansible-lint yamllint python3-jsonschema openssh-server openssh-client unbound dnsperf bind9-dnsutils"
deploy_packages="$image_packages $ansible_packages podman runc rpm
    dnsmasq-base"
lab_packages="nsd unbound nftables iproute2 bind9-dnsutils openssl ldnsutils"
mail_packages="postfix postfix-policyd-spf-python"
client_packages="musl-tools libc-ares-dev adns-tools udns-utils unbound-host dbus"
exim_libraries="libdb5.3 libgnutls-dane0 libidn12 libldap-2.5-0 libmariadb3 libpam0g libpcre2-8-0 libperl5.36 libpq5 libsasl2-2 libspf2-2 libsqlite3-0"
mailserver_packages="opendkim python3-dkim djbdns-utils ucspi-tcp $exim_libraries"
# Unpacked, not installed: the first two would resolve for this machine; the others and postfix cannot be installed together.
unpacked_packages="systemd-resolved nscd exim4-daemon-heavy exim4-config"
soak_packages="iproute2 python3-dnspython libasan8 libubsan1"
bench_packages="libcmocka-dev dnsperf valgrind dnsdist knot-resolver unbound bind9 pdns-recursor smartdns dnsmasq-base openssl
    redis-server"
test_packages="$lab_packages $mail_packages $mailserver_packages $soak_packages libcmocka-dev libtsan2 python3-pytest dnsperf
    knot-dnsutils bind9 knot dnsdist knot-resolver dante-server python3-cryptography python3-h2 mandoc systemd libseccomp2 git xz-utils ca-certificates
    redis-server procps
    rspamd
    $client_packages
    prometheus chromium python3-spf python3-yaml shellcheck clang clang-format clang-tidy libclang-rt-14-dev"

missing() { # missing PACKAGE ...: those that are not installed
    for package in "$@"; do
        dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed$' || echo "$package"
    done
}

# Installs what is missing of PACKAGE ..., with no package's daemon started, now or at the next boot: a machine that
# only builds or tests byway must not find another resolver on its port 53.
install_packages() {
    wanted=$(missing "$@" | tr '\n' ' ')
    [ -n "$wanted" ] || return 0
    [ "$(id -u)" = 0 ] || die "these packages are missing and only root can install them: $wanted"
    say "installing $wanted"
    mkdir -p build
    # shellcheck disable=SC2086 # one word a package
    install_guarded $wanted >build/apt.log 2>&1 && return 0
    grep -E '^(E|Err)' build/apt.log | head -n 5 >&2
    die "apt-get could not install: $wanted(all it said is in build/apt.log)"
}

# In a subshell: its traps put policy-rc.d back also after Ctrl-C, and leave the caller's traps alone.
install_guarded() (
    policy=/usr/sbin/policy-rc.d
    [ ! -e $policy ] || [ -e $policy.byway ] || mv $policy $policy.byway
    trap 'rm -f $policy; [ ! -e $policy.byway ] || mv $policy.byway $policy' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update || exit 1
    # Postfix without configuration: it does not start, now or ever, until somebody makes one. Nor does it take the
    # place of another mail server.
    case " $* " in
    *" postfix "*) echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections || exit 1 ;;
    esac
    apt-get -q -y --no-install-recommends --no-remove -o DPkg::Lock::Timeout=120 install "$@" || exit 1
    command -v systemctl >/dev/null || exit 0
    for pair in nsd:nsd unbound:unbound unbound:unbound-resolvconf knot:knot dnsdist:dnsdist bind9:named \
        knot-resolver:kresd.target knot-resolver:kres-cache-gc pdns-recursor:pdns-recursor smartdns:smartdns dante-server:danted prometheus:prometheus \
        postfix:postfix \
        rspamd:rspamd \
        redis-server:redis-server opendkim:opendkim openssh-server:ssh podman:podman.socket podman:podman.service \
        podman:podman-restart.service podman:podman-auto-update.timer; do
        case " $* " in *" ${pair%:*} "*) systemctl -q disable "${pair#*:}" 2>/dev/null || true ;; esac
    done
)

# What apt knows may be old, or nothing, where nothing had to be installed.
download() { apt-get -q download "$1" || { apt-get -q update && apt-get -q download "$1"; }; }

# Beside the machine's own, in build/unpacked, for the tests alone.
unpack_packages() { # unpack_packages PACKAGE ...
    mkdir -p build/unpacked
    for package in "$@"; do
        [ ! -e "build/unpacked/$package.done" ] || continue
        say "unpacking $package"
        { (cd build/unpacked && download "$package" && dpkg-deb -x "$package"_*.deb . && chmod -R ug-s . && rm "$package"_*.deb); } \
            >build/apt.log 2>&1 || die "apt-get could not download $package: $(tail -n 1 build/apt.log)"
        touch "build/unpacked/$package.done"
    done
}

compile() { # compile DIRECTORY OPTION ...: set up once, then build; the programs stand at DIRECTORY/bywayd and bywayctl
    directory=$1
    shift
    if [ -f "$directory/build.ninja" ]; then
        meson configure "$directory" "$@"
    else
        meson setup "$directory" "$@"
    fi && ninja -C "$directory" || return 1
    for program in bywayd bywayctl; do
        [ ! -f "$directory/$program" ] || continue
        built=$(cd "$directory" && find . -type f -name $program -perm -u+x)
        [ -n "$built" ] || continue
        ln -sf "$built" "$directory/$program"
    done
}

source_archive() { # source_archive VERSION COMMIT NAME: NAME.tar.xz, the same bytes each time
    git -c tar.umask=0022 archive --format=tar --prefix="byway-$1/" -o "$3.tar" "$2" && xz -9 -T1 -f "$3.tar"
}

# compile, quiet unless it fails.
compile_quietly() {
    mkdir -p "$1"
    compile "$@" >"$1/compile.log" 2>&1 && return 0
    grep -E 'error|ERROR|FAILED|warning:' "$1/compile.log" | head -n 20 >&2
    return 1
}
