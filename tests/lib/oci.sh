# oci.sh: containers for tests/oci, after lib.sh. podman's files are in $T_TMP; what is in the containers is the
# machine's /usr and a root of the tests' own.
# shellcheck shell=bash disable=SC2034 # variables for the test files
CTL=${CTL:-$BUILD/ctl/cijailctl}
HOOK=${HOOK:-$BUILD/oci/cijail-oci-hook}

# As in_real_network, with podman.
in_real_network_with_podman() {
    T_TMP=$(mktemp -d)
    chmod 711 "$T_TMP"
    cd "$T_TMP" || exit
    trap oci_end EXIT
    trap 'exit 143' TERM INT HUP
    oci_podman
}

# As in_test_internet, with podman. An ordinary user is root of a user namespace with all his ids there: what a rootless
# podman makes for itself. Its locks in /dev/shm are not those of the machine's.
in_test_internet_with_podman() {
    if [[ -z ${T_NET:-} ]]; then
        ((EUID == 0)) || exec unshare --user --map-root-user --map-auto -- bash "$0" "$@"
        exec "$T_SRC/tests/net/up" bash "$0" "$@"
    fi
    mount -t tmpfs -o mode=1777 cijail-test /dev/shm
    if [[ $(head -n 1 /proc/self/uid_map) =~ ^\ *0\ +([1-9][0-9]*)\  ]]; then # podman has gone there by itself, it is told
        export _CONTAINERS_USERNS_CONFIGURED=done _CONTAINERS_ROOTLESS_UID=${BASH_REMATCH[1]}
        _CONTAINERS_ROOTLESS_GID=$(awk 'NR == 1 { print $2 }' /proc/self/gid_map)
        export _CONTAINERS_ROOTLESS_GID
    fi
    T_TMP=$(mktemp -d)
    chmod 711 "$T_TMP"
    cd "$T_TMP" || exit
    oci_podman
}

# This machine may lack what podman wants for itself: cgroups that systemd manages, a journal, CAP_SYS_RESOURCE.
oci_podman() {
    mkdir -m 700 xdg
    export HOME=$T_TMP XDG_RUNTIME_DIR=$T_TMP/xdg CONTAINERS_CONF=$T_TMP/containers.conf
    export CONTAINERS_STORAGE_CONF=$T_TMP/storage.conf
    unset DBUS_SESSION_BUS_ADDRESS NOTIFY_SOCKET
    cat >containers.conf <<END
[containers]
default_ulimits = ["nofile=$(ulimit -n):$(ulimit -n)", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
END
    cat >storage.conf <<END
[storage]
driver = "vfs"
graphroot = "$T_TMP/graph"
runroot = "$T_TMP/runroot"
END
    oci_root
    box=(--rm -v /usr:/usr:ro --rootfs "$T_TMP/root")
}

oci_root() {
    mkdir -p root/{usr,etc/ssl/certs,tmp,proc,sys,dev,run,var/tmp,root}
    chmod 1777 root/tmp root/var/tmp
    ln -s usr/bin usr/sbin usr/lib usr/lib64 root/
    cp -a /etc/alternatives root/etc/
    printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n' >root/etc/passwd
    printf 'root:x:0:\n' >root/etc/group
    printf 'hosts: files dns\n' >root/etc/nsswitch.conf
    cp -L /etc/ssl/certs/ca-certificates.crt root/etc/ssl/certs/ 2>/dev/null
}

oci_end() {
    local pause
    podman rm -fa -t 0 >/dev/null 2>&1
    [[ -z ${servers:-} ]] || kill "$servers"
    pause=$(cat xdg/libpod/tmp/pause.pid 2>/dev/null)
    cd /
    ((EUID == 0)) || podman unshare rm -rf "$T_TMP"/{.local,graph,root} >/dev/null 2>&1
    [[ -z $pause ]] || kill "$pause"
    rm -rf "$T_TMP"
}

# The first case of a file: the machine can run containers at all; otherwise the rest has nothing to test.
need_podman() {
    t_case 'podman starts containers here'
    if need 'podman with runc, that starts containers' podman run --network=none "${box[@]}" true; then
        t_true true
    else
        t_done
        exit
    fi
}

# jailed CIJAIL-OPTION... -- WORD...: a command in a container of the usual kind, as run.
jailed() {
    local own=()
    while [[ $1 != -- ]]; do own+=("$1") && shift; done
    shift
    run "$CTL" podman run "${own[@]}" "${box[@]}" "$@"
}

# hooks FOLDER [ARGUMENT...]: a hooks.d as an administrator writes it, for the stage $STAGE (precreate).
hooks() {
    local folder=$1
    shift
    mkdir -p "$folder"
    python3 - "$HOOK" "${STAGE:-precreate}" "$@" >"$folder/cijail.json" <<'END'
import json, sys
print(json.dumps({"version": "1.0.0", "hook": {"path": sys.argv[1], "args": ["cijail-oci-hook"] + sys.argv[2:]},
                  "when": {"always": True}, "stages": [sys.argv[2]]}))
END
}

# The jails of this file's containers: processes of the hook that name its folder.
jails() { pgrep -f "cijail-oci-hook createRuntime $T_TMP/" | wc -l; }
no_jails() { (($(jails) == 0)); }

# Nothing of a start is left: no process, no file of the runtime directory's.
t_nothing_left() {
    until_true no_jails
    t_eq "$(jails) $(find "$XDG_RUNTIME_DIR/cijail" -mindepth 1 2>/dev/null)" '0 '
}

# Two servers at the host's loopback, $allowed and $denied, which say so; $get and a port asks one.
two_servers() {
    python3 -c '
import http.server, threading
ports = []
for text in b"allowed", b"denied":
    class Handler(http.server.BaseHTTPRequestHandler):
        body = text
        def do_GET(self):
            self.send_response(200); self.send_header("Content-Length", str(len(self.body))); self.end_headers()
            self.wfile.write(self.body)
        def log_message(self, *a): pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    ports.append(server.server_port)
    threading.Thread(target=server.serve_forever).start()
print(*ports, flush=True)' >servers.out 2>servers.err </dev/null &
    servers=$!
    until_true test -s servers.out || t_fail "servers: $(cat servers.err)"
    read -r allowed denied <servers.out
    get='curl -sS -m 5 http://127.0.0.1:'
}
