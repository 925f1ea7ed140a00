#!/usr/bin/env bash
# timeout: 600
# alone
# Nothing is left after a jail, nor after a thousand: no process, file, mount or namespace.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"

t_case 'after one jail'
before=$(t_state)
run cijail -e https://registry.example/ -- curl -s https://registry.example/pkg/lodash
t_status 0
t_same_state "$before"

t_case 'after a jail that failed to start, that was killed, that was ended'
cijail -e nosuch..word true 2>/dev/null
cijail -- /nonexistent 2>/dev/null
for signal in KILL TERM INT; do
    cijail sh -c 'sleep 20 & sleep 20' >/dev/null 2>&1 </dev/null &
    pid=$!
    sleep 0.3
    { kill -$signal $pid; wait $pid; } 2>/dev/null
done
t_same_state "$before"

t_case 'killed in every moment of its set-up'
for delay in 0.00{1,3,5,7,9} 0.0{10..60..5}; do
    cijail sleep 20 >/dev/null 2>&1 </dev/null &
    pid=$!
    sleep "$delay"
    { kill -KILL $pid; wait $pid; } 2>/dev/null
done
t_same_state "$before"

t_case 'a thousand jails, 20 at a time, all work'
start=$SECONDS
T_LIMIT=500 run bash -c 'seq 1000 | xargs -P 20 -I {} cijail -q -- sh -c "echo {}" | sort -n | md5sum'
t_eq "$out" "$(seq 1000 | md5sum)"
t_eq "$err" ''
echo "# 1,000 jails in $((SECONDS - start)) s"
t_same_state "$before"

# A user namespace may limit how many namespaces of a kind there are in it at once: what a jail leaves would soon
# be too many. The kernel takes network namespaces down a little later than their last process, hence the reserve.
t_case 'no namespace is left: 400 jails where few are possible at once'
cat >limited.sh <<'END'
for kind in user net mnt pid ipc; do
    echo 100 >/proc/sys/user/max_${kind}_namespaces || exit 9
done
seq 400 | setpriv --inh-caps=-all --ambient-caps=-all xargs -P 4 -I {} sh -c 'cijail -q -- true || { sleep 1; cijail -- true; } || echo {} failed'
END
T_LIMIT=300 run unshare --user --map-current-user --keep-caps bash limited.sh
t_status 0
t_eq "$out" ''

t_case 'with work in them, 20 at a time'
T_LIMIT=300 run bash -c 'seq 100 | xargs -P 20 -I {} cijail -q -e https://registry.example/ -- curl -s -m 60 https://registry.example/pkg/lodash | sort | uniq -c'
t_match "$out" '^ *100 a package$'
t_same_state "$before"

t_done
