#!/usr/bin/env bash
# What the kernel shows as files, in other places than the usual ones, and where a machine's /proc is seen in the jail:
# processes outside, settings, message queues; and crashes, which the kernel tells a program of the host.
. "$(dirname "$0")/../lib/lib.sh"
in_real_network

# A mount namespace in which the caller may mount.
in_mounts=(unshare --mount --ipc --propagation private)
((EUID == 0)) || in_mounts+=(--user --map-root-user)

t_case 'message queues of the host are not the jail'\''s, wherever they are mounted'
mkdir queues
cat >queues.sh <<'END'
mount -t mqueue mqueue queues && touch queues/of-host && echo "host $(ls queues)" &&
    cijail -q -- sh -c 'echo "jail $(ls queues)"; touch queues/of-jail && echo "jail $(ls queues)"' &&
    echo "host $(ls queues)"
END
run "${in_mounts[@]}" sh queues.sh
t_status 0
t_eq "$out" $'host of-host\njail \njail of-jail\nhost of-host'

t_case 'what is mounted over them is left alone; a single queue is covered'
mkdir hidden others
: >single
cat >hidden.sh <<'END'
mount -t mqueue mqueue hidden && mount -t tmpfs test hidden && echo mine >hidden/file &&
    mount -t mqueue mqueue others && touch others/queue && mount --bind others/queue single &&
    cijail -q -- sh -c 'cat hidden/file && : >hidden/new && echo writable; wc -c <single; ls others'
END
run "${in_mounts[@]}" sh hidden.sh
t_status 0
t_eq "$out" $'mine\nwritable\n0'

t_case 'a crash is told to no program of the host; core files are as they were'
echo '|/bin/cat' >pipe
echo 'core.%p' >file
cat >cores.sh <<'END'
mount --bind "$1" /proc/sys/kernel/core_pattern && ulimit -Sc 0 &&
    cijail -q -- awk 'NR == 1 { print } /core file/ { print $5, $6 }' /proc/sys/kernel/core_pattern /proc/self/limits
END
run "${in_mounts[@]}" sh cores.sh pipe
t_status 0
t_eq "$out" $'|/bin/cat\n1 1'
cat >lower.py <<'END'
import ctypes, resource
resource.setrlimit(resource.RLIMIT_CORE, (0, 1))
try:
    resource.prlimit(0, resource.RLIMIT_CORE, (0, 1))
except PermissionError:
    pass
ctypes.CDLL(None).syscall(160, 4, (ctypes.c_ulong * 2)(0, 1)) if __import__("os").uname().machine == "x86_64" else None
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100)) # the twin: others are set as ever
print(resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_NOFILE))
END
sed 's/awk .*/python3 lower.py/' cores.sh >lower.sh
run "${in_mounts[@]}" sh lower.sh pipe # the kernel looks at the soft limit
t_eq "$out" '(1, 1) (100, 100)'
run "${in_mounts[@]}" sh lower.sh file
t_eq "$out" '(0, 1) (100, 100)'
run "${in_mounts[@]}" sh cores.sh file
t_eq "$out" "core.%p"$'\n'"0 $(ulimit -Hc)"
run "${in_mounts[@]}" sh -c 'ulimit -c 0; exec sh cores.sh pipe' # it cannot be raised, and is no reason to refuse
t_eq "$out" $'|/bin/cat\n0 0'

if ((EUID == 0)); then
    t_case 'settings of the kernel are read-only in every /proc and /sys that there is; the twin reads them'
    mkdir proc sys
    cat >settings.sh <<'END'
mount -t proc proc proc && mount -t sysfs sysfs sys || exit
change='echo "$(cat proc/sys/kernel/core_pattern)" >proc/sys/kernel/core_pattern && echo changed'
sh -c "$change" && cijail -q -- sh -c "cat proc/sys/kernel/ostype && ls -d sys/kernel; $change; : >sys/kernel/uevent_seqnum; $change"
END
    run "${in_mounts[@]}" sh settings.sh
    t_eq "$out" $'changed\nLinux\nsys/kernel'
    t_match "$err" 'core_pattern: Read-only file system'

    t_case 'but not what only stands at the place of one'
    mkdir -p over/proc
    cat >over.sh <<'END'
mount -t proc proc over/proc && mount -t tmpfs test over && mkdir over/proc && cijail -q -- touch over/proc/file && ls over/proc
END
    run "${in_mounts[@]}" sh over.sh
    t_status 0
    t_eq "$out" file
fi

t_done
