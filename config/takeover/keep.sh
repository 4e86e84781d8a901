# Part of byway-takeover. What was there before, and how it is put back. Each path that is touched has a line in
# `$state/journal`: number, what it was (file, link, none, dir), attributes of chattr(1) or "-", path. `$state/NUMBER`
# is what it was, `NUMBER.now` what it became. The line is written when the copy is whole, and the path is touched when
# the line is there.
# shellcheck shell=sh disable=SC2154 # set by byway-takeover

# One at a time; a dry run and a look have a folder of their own and leave nothing.
open_work() {
    if $dry || [ "$verb" = check ]; then
        work=$(mktemp -d)
        trap 'rm -rf "$work"' EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM HUP
        return
    fi
    work=/run/byway-takeover
    mkdir -p $work
    trap '[ $? != 2 ] || exit 1' EXIT # the shell's own, where a file cannot be written
    exec 9<$work
    flock -w 60 9 || die "another byway-takeover is at work"
}

begin() {
    rm -rf "$state.old"
    [ -d "$state" ] && return
    mkdir -m 700 "$state"
    : >"$state/journal"
}

# In one step, so that half of it is never taken for the whole.
end() {
    rm -rf "$state.old"
    mv "$state" "$state.old"
    rm -rf "$state.old"
}

remember() { # remember TEXT WORD
    echo "$1" >"$state/$2.new"
    mv -f "$state/$2.new" "$state/$2"
}

recall() { # recall WORD: nothing where nothing was remembered
    [ ! -e "$state/$1" ] || tr -s ' ' <"$state/$1" | sed 's/ $//'
}

journal() { [ ! -e "$state/journal" ] || cat "$state/journal"; }

number_of() { journal | awk -F '\t' -v path="$1" '$4 == path { number = $1 } END { if (number) print number }'; }

next_number() { journal | awk -F '\t' '$1 > most { most = $1 } END { print most + 1 }'; }

is_kept() { [ -n "$(number_of "$1")" ]; }

forget() { # forget PATH
    is_kept "$1" || return 0
    $dry && return
    awk -F '\t' -v path="$1" '$4 != path' "$state/journal" >"$state/journal.new"
    mv -f "$state/journal.new" "$state/journal"
}

is_file() { [ ! -L "$1" ] && [ -f "$1" ]; }

is_same() { is_file "$2" && cmp -s "$1" "$2"; }

# What our resolv.conf has is the mode of the file that it took the place of.
wanted_mode() {
    kept=$state/$(number_of "$resolv_conf")
    if is_file "$kept"; then stat -c %a "$kept"; else echo 644; fi
}

has_wanted_mode() { [ "$(stat -c %a "$resolv_conf")" = "$(wanted_mode)" ]; }

is_mounted() { awk -v path="$1" '$5 == path { found = 1 } END { exit !found }' /proc/self/mountinfo; }

# "i" and "a" forbid a rename; those that the file system knows, or "-".
attributes_of() {
    [ ! -L "$1" ] && found=$(lsattr -d "$1" 2>/dev/null | cut -d ' ' -f 1 | tr -dc 'ia') || found=
    echo "${found:--}"
}

free() { [ "$(attributes_of "$1")" = - ] || chattr -ia "$1"; }

bind() { [ "$2" = - ] || [ ! -f "$1" ] || chattr "+$2" "$1"; } # bind PATH ATTRIBUTES

keep() { # keep PATH: once, before it is touched
    is_kept "$1" && return
    number=$(next_number)
    kind=none
    [ ! -f "$1" ] || kind="file"
    [ ! -L "$1" ] || kind="link"
    rm -f "$state/$number.new"
    [ $kind = none ] || cp -a "$1" "$state/$number.new"
    [ $kind != file ] || sync "$state/$number.new"
    [ $kind = none ] || mv -f "$state/$number.new" "$state/$number"
    printf '%s\t%s\t%s\t%s\n' "$number" "$kind" "$(attributes_of "$1")" "$1" >>"$state/journal"
    sync "$state/journal" "$state"
}

make_folder() { # make_folder PATH: with those above it, and remembers that it was made
    [ -d "$1" ] && return
    make_folder "$(dirname "$1")"
    printf '%s\t%s\t%s\t%s\n' "$(next_number)" dir - "$1" >>"$state/journal"
    mkdir "$1"
}

beside() { echo "$(dirname "$1")/.$(basename "$1").byway-takeover"; }

# What is on standard input becomes the content of PATH, which was kept: a file as before, or one that all may read.
replace() { # replace PATH
    number=$(number_of "$1")
    new=$(beside "$1")
    cat >"$new"
    cp "$new" "$state/$number.now"
    chmod 644 "$new"
    like=$1
    [ "$1" != "$resolv_conf" ] || like=$state/$number
    if is_file "$like"; then
        chown --reference="$like" "$new" # it takes the right to become another user away
        chmod --reference="$like" "$new"
    fi
    sync "$new"
    free "$1"
    mv -f "$new" "$1"
    bind "$1" "$(journal | awk -F '\t' -v number="$number" '$1 == number { print $3 }')"
    ! command -v restorecon >/dev/null || restorecon "$1" || true
}

# put PATH TEXT: what is on standard input becomes its content, unless it is so already; TEXT says what that does.
put() {
    cat >"$work/put"
    if is_same "$work/put" "$1" && is_kept "$1" && [ -e "$state/$(number_of "$1").now" ]; then
        return
    fi
    change "$2" true
    $dry && return
    make_folder "$(dirname "$1")"
    keep "$1"
    replace "$1" <"$work/put"
}

first_mark="# byway-takeover: these lines are taken out by byway-takeover --undo"
last_mark="# byway-takeover: end"

# The file without our lines; the last of the others ends in a newline.
without_block() { [ ! -e "$1" ] || sed -e "/^$first_mark\$/,/^$last_mark\$/d" -e "\$a\\" "$1"; }

put_block() { # put_block PATH TEXT: the same of some lines at the end of a file that has others
    {
        without_block "$1"
        echo "$first_mark"
        cat
        echo "$last_mark"
    } >"$work/block"
    put "$1" "$2" <"$work/block"
}

# Whether PATH names a nameserver of ours.
points_here() {
    for server in $(recall ours); do
        ! nameservers_in "$1" | grep -qxF "$server" || return 0
    done
    return 1
}

# Whether PATH, a file before as well, is another one that others have written since: that is to be put back, then.
is_replaced() { # is_replaced PATH
    was=$state/$(number_of "$1")
    [ -f "$was" ] && [ ! -L "$was" ] && ! is_same "$was" "$1" || return 1
    [ -f "$1" ] && [ ! -L "$1" ] && ! points_here "$1" && ! grep -q '^# byway-takeover' "$1"
}

restore() { # restore NUMBER KIND ATTRIBUTES PATH
    case $2 in none) say "$4 is gone again" ;; *) say "$4 is again what it was" ;; esac
    $dry && return
    new=$(beside "$4")
    rm -f "$new"
    free "$4"
    if [ "$2" = none ]; then
        rm -f "$4"
    else
        cp -a "$state/$1" "$new"
        mv -f "$new" "$4"
    fi
    bind "$4" "$3"
}

# resolv.conf is what others may have made anew meanwhile, in a network that has changed since.
restore_resolv_conf() { # restore_resolv_conf NUMBER KIND ATTRIBUTES PATH
    if [ ! -e "$state/switched" ] || is_untouched "$1" "$2" "$4"; then
        $dry || bind "$4" "$3"
    elif points_here "$4"; then
        restore "$@"
        $dry || rm -f "$state/switched"
    else
        warn "$4 is left as it is: it does not name byway any more"
    fi
}

# Kept, and then nothing more came of it.
is_untouched() { # is_untouched NUMBER KIND PATH
    case $2 in
    none) [ ! -e "$3" ] ;;
    file) is_same "$state/$1" "$3" ;;
    link) [ "$(readlink "$3")" = "$(readlink "$state/$1")" ] ;;
    esac
}

# resolv.conf as it is after --undo: itself, and in a dry run what it would be.
resolv_conf_undone() {
    was=$state/$(number_of "$resolv_conf")
    if ! $dry || [ ! -e "$state/switched" ] || ! points_here "$resolv_conf"; then
        echo "$resolv_conf"
    elif [ -L "$was" ]; then
        (cd "$(dirname "$resolv_conf")" && realpath -m "$(readlink "$was")")
    else
        echo "$was"
    fi
}

put_back() {
    journal | sort -rn >"$work/journal"
    while IFS=$tab read -r number kind attributes path; do
        $dry || [ "$kind" = dir ] || rm -f "$(beside "$path")"
        if [ "$kind" = dir ]; then
            $dry || rmdir "$path" 2>/dev/null || true
        elif [ "$path" = "$resolv_conf" ]; then
            restore_resolv_conf "$number" "$kind" "$attributes" "$path"
        elif [ ! -e "$state/$number.now" ] || is_untouched "$number" "$kind" "$path"; then
            $dry || bind "$path" "$attributes"
        elif is_same "$state/$number.now" "$path"; then
            restore "$number" "$kind" "$attributes" "$path"
        elif [ -e "$path" ] && grep -qxF "$first_mark" "$path"; then
            say "$path is without the lines of byway-takeover, and else as others have changed it"
            $dry || without_block "$path" | { cat >"$work/put" && replace "$path" <"$work/put"; }
        else
            warn "$path is left as it is: it was changed by others"
        fi
    done <"$work/journal"
}

# What is not as it was left, a line each.
drift() {
    journal >"$work/journal"
    while IFS=$tab read -r number kind attributes path; do
        if [ "$kind" = dir ] || ! is_read "$path"; then
            continue
        fi
        if [ ! -e "$state/$number.now" ]; then
            echo "$path: byway-takeover did not come to its end (run it again)"
        elif [ -L "$path" ]; then
            echo "$path is a link again: $(readlink "$path")"
        elif [ ! -e "$path" ]; then
            echo "$path is gone"
        elif grep -qxF "$first_mark" "$state/$number.now" && ! grep -qxF "$first_mark" "$path"; then
            echo "$path: the lines of byway-takeover are gone"
        elif ! grep -qxF "$first_mark" "$state/$number.now"; then
            differences "$path" "$state/$number.now"
            [ "$path" != "$resolv_conf" ] || has_wanted_mode ||
                echo "$path has the mode $(stat -c %a "$path"), and had $(wanted_mode)"
        fi
    done <"$work/journal"
    managers_not_told
}

differences() { # differences PATH WANTED
    ! cmp -s "$2" "$1" || return 0
    awk -v path="$1" '
        NR == FNR { wanted[$0]; next }
        $0 in wanted { seen[$0]; next }
        { print path ":" FNR ": " $0; told = 1 }
        END {
            for (line in wanted)
                if (!(line in seen)) {
                    print path " lacks: " line
                    told = 1
                }
            if (!told)
                print path ": its lines are in another order, or one is there twice"
        }' "$2" "$1"
}
