#!/usr/bin/env bash
# launch.sh: how long it takes to start "true" in a jail or sandbox, and to end it.
. "$(dirname "$0")/lib.sh"
in_bench free "$@"
mkdir -p home
chmod 777 home
export HOME=$PWD/home
chmod 777 .
# As udev has it: pasta and slirp4netns need it, also as an ordinary user. And firejail has a list of its users.
if ((EUID == 0)); then
    mknod -m 666 tun c 10 200
    [[ ! -e /dev/net/tun ]] || mount --bind tun /dev/net/tun
    echo nobody >firejail.users
    [[ ! -e /etc/firejail/firejail.users ]] || mount --bind firejail.users /etc/firejail/firejail.users
fi
launches=$((RUNS > 10 ? RUNS * 10 : 101))
launches=${LAUNCHES:-$launches}

# slirp4netns has no way to run a command: it is given a namespace, which has to be there by then, and says when that is
# ready.
cat >slirp.sh <<'END'
rm -f up go ready
mkfifo up go ready
unshare --user --map-root-user --net --mount sh -c 'echo >up && read -r go <go; exec true' &
read -r up <up
exec 9<>ready
slirp4netns --configure --ready-fd 9 $! tap0 >/dev/null 2>&1 &
slirp=$!
head -c 1 <&9 >/dev/null
echo go >go
wait %1
kill $slirp
END

names=() commands=()
command_of() { # NAME COMMAND...
    names+=("$1")
    shift
    ((${#commands[@]} == 0)) || commands+=(//)
    commands+=("$@")
}
command_of 'nothing: `true`' true
command_of '**cijail**, no endpoint' cijail -q -- true
command_of '**cijail**, one https endpoint' cijail -q -e https://registry.example/ -- true
command_of '`bwrap --unshare-all --dev-bind / /`' bwrap --unshare-all --dev-bind / / true
command_of '`unshare` of the same namespaces' unshare --user --map-root-user --mount --pid --fork --ipc --uts --net true
command_of '`pasta`' pasta --config-net -- true
command_of 'slirp4netns, `unshare`, a script' sh slirp.sh
command_of '`firejail --noprofile --net=none`' firejail --quiet --noprofile --net=none true

# A sandbox that does not run here is said so, and left out.
keep() {
    local i=0 one=() word
    kept=() kept_names=()
    for word in "${commands[@]}" //; do
        if [[ $word != // ]]; then one+=("$word"); continue; fi
        if "${as[@]}" timeout 20 "${one[@]}" </dev/null >>tried.log 2>&1; then
            ((${#kept[@]} == 0)) || kept+=(//)
            kept+=("${one[@]}")
            kept_names+=("${names[i]}")
        else
            say "does not run here as $who: ${one[*]}"
        fi
        one=()
        i=$((i + 1))
    done
}

measure() { # WHO COMMAND...: a table; as whom: COMMAND
    local who=$1 as=("${@:2}") kept kept_names
    keep
    printf '\nAs %s:\n\n' "$who"
    echo '| | ms | of bwrap | processor, ms | of bwrap |'
    echo '|---|---|---|---|---|'
    "${as[@]}" "$BUILD/bench/launch" "$launches" "${kept[@]}" >"$PWD/times"
    printf '%s\n' "${kept_names[@]}" | paste -d "\t" - "$PWD/times" | awk -F '\t' '
        { split($2, t, " "); name[NR] = $1; wall[NR] = t[1]; cpu[NR] = t[2] }
        $1 ~ /bwrap/ { bwrap = NR }
        END {
            for (i = 1; i <= NR; i++) {
                if (wall[i] == "failed") { printf "| %s | failed | | | |\n", name[i]; continue }
                printf "| %s | %.1f | %s | %.1f | %s |\n", name[i], wall[i] / 1000,
                    bwrap ? sprintf("%.2f", wall[i] / wall[bwrap]) : "-", cpu[i] / 1000,
                    bwrap ? sprintf("%.2f", cpu[i] / cpu[bwrap]) : "-"
            }
        }'
}

{
    echo '### Launch'
    echo
    echo "\`true\` in it, from start to end; medians of $launches launches in turn. Processor time: of what was waited for."
    table_note | sed 's/^Medians[^.]*\. //'
    if ((EUID)); then
        measure 'an ordinary user'
    else
        measure root
        measure 'an ordinary user' setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups --
    fi
} >"$BENCH_OUT/launch.md"
