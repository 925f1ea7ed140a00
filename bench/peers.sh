# peers.sh: the origin, the proxies that cijail is compared with, and the one client of all. Sourced after lib.sh, in a
# pinned bench.
#
#   "client" network      veth      "host" network                  veth    "internet" network
#   203.0.113.130        ------     203.0.113.129: the peers        ----    198.51.100.10: the origin
#                                   cijail and its jail
#
# The origin is nginx at ports 8444 (TLS) and 8081; "nginx direct" is the same with the same files on the proxy's core.
# shellcheck shell=bash disable=SC2034 # variables for the tables
ORIGIN=198.51.100.10 HERE=203.0.113.129
AUTHORITY=registry.example:8444 PLAIN=registry.example:8081
declare -A peer_pid=() client_in=() client_out=()

has_own_network() { [[ $(readlink /proc/self/ns/net) != "$(readlink "/proc/$1/ns/net")" ]]; }

client_network() {
    unshare --net sleep infinity </dev/null &
    client_ns=$!
    until_true has_own_network "$client_ns"
    until_true ip link add host0 type veth peer name client0 netns "$client_ns"
    ip address add "$HERE/30" dev host0
    ip link set host0 up
    in_client ip address add 203.0.113.130/30 dev client0
    in_client ip link set client0 up
    # a closed connection's port may be used again at once: there are more connections than ports
    in_client sysctl -q -w net.ipv4.tcp_tw_reuse=1 net.ipv4.ip_local_port_range='1024 65000'
    sysctl -q -w net.ipv4.tcp_tw_reuse=1
}

in_client() { nsenter --net="/proc/$client_ns/ns/net" -- "$@"; }

nginx_conf() { # DIR SERVER-BLOCKS: the configuration of an nginx of one process
    mkdir -p "$1"
    cat >"$1/conf" <<END
user root;
pid $PWD/$1/pid;
error_log $PWD/$1/error.log;
worker_processes 1;
worker_rlimit_nofile 18000;
events { worker_connections 8192; }
http {
    access_log off;
    client_body_temp_path $PWD/$1/a; proxy_temp_path $PWD/$1/b; fastcgi_temp_path $PWD/$1/c;
    scgi_temp_path $PWD/$1/d; uwsgi_temp_path $PWD/$1/e;
    keepalive_timeout 600;
    keepalive_requests 100000000;
    sendfile on;
    tcp_nopush on;
    ssl_certificate $T_NET/good.pem;
    ssl_certificate_key $T_NET/good.key;
    root $PWD/www;
    $2
}
END
}

start_origin() {
    mkdir -p www
    head -c 1024 /dev/urandom >www/1k
    truncate -s 100M www/100m
    truncate -s 1G www/1g
    chmod -R go+rX "$T_NET"
    nginx_conf origin "server { listen $ORIGIN:8444 ssl backlog=8192; listen $ORIGIN:8081; location = /status { stub_status; } }"
    internet nginx -p "$PWD/origin/" -c "$PWD/origin/conf" </dev/null
    until_true internet curl -sf "http://$ORIGIN:8081/1k"
}

origin_connections() { # how many the origin has accepted, without ours
    origin_asked=$((${origin_asked:-0} + 1))
    origin_count=$(($(internet curl -sf "http://$ORIGIN:8081/status" | awk 'NR == 3 { print $1 }') - origin_asked))
}

listening() { ss -Hltn "sport = :$1" | grep -q .; }

# start PEER PORT COMMAND...: a peer in the foreground, on the proxy's core
start() {
    local peer=$1 port=$2
    shift 2
    taskset -c "$PROXY_CPU" "$@" >"$peer.log" 2>&1 </dev/null & # by no function, so that $! is its own process
    peer_pid["$peer"]=$!
    until_true listening "$port"
}

start_nginx_direct() {
    nginx_conf direct "server { listen $HERE:8444 ssl backlog=8192; listen $HERE:8081; }"
    start nginx-direct 8444 nginx -p "$PWD/direct/" -c "$PWD/direct/conf" -g 'daemon off;'
}

start_nginx_proxy() {
    nginx_conf reverse "
    upstream origin { server $ORIGIN:8444; keepalive 64; keepalive_requests 100000000; }
    server {
        listen $HERE:8445 ssl backlog=8192;
        location / {
            proxy_pass https://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection '';
            proxy_set_header Host \$host;
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate $T_NET/ca.pem;
            proxy_ssl_name registry.example;
            proxy_ssl_server_name on;
            proxy_max_temp_file_size 0;
        }
    }"
    start nginx-proxy 8445 nginx -p "$PWD/reverse/" -c "$PWD/reverse/conf" -g 'daemon off;'
}

start_haproxy() { # TLS on both sides, connections to the origin pooled or each client's own; and a plain tunnel
    cat "$T_NET/good.pem" "$T_NET/good.key" >haproxy.pem
    local to="server origin $ORIGIN:8444 ssl verify required ca-file $T_NET/ca.pem sni str(registry.example)"
    cat >haproxy.conf <<END
global
    nbthread 1
    maxconn 4000
    tune.ssl.default-dh-param 2048
defaults
    mode http
    timeout connect 10s
    timeout client 600s
    timeout server 600s
listen pooled
    bind $HERE:8446 ssl crt $PWD/haproxy.pem
    http-reuse always
    $to
listen fresh
    bind $HERE:8447 ssl crt $PWD/haproxy.pem
    http-reuse never
    $to no-ssl-reuse
listen tunnel
    mode tcp
    bind $HERE:8448
    option splice-auto
    server origin $ORIGIN:8081
END
    start haproxy 8448 haproxy -db -f haproxy.conf
    peer_pid[haproxy-fresh]=${peer_pid[haproxy]}
}

policy_words() { # the endpoints of cijail's policy: the one that is used stands behind those of twenty other hosts
    local i
    for ((i = 0; i < 20; i++)); do echo "GET,HEAD:https://host$i.example/packages/"; done
    echo "GET,HEAD:https://$AUTHORITY/"
}

start_squid() { # bumps everything, and judges by a list of regular expressions
    mkdir -p squid
    local crtd
    crtd=$(ls /usr/lib/squid/security_file_certgen /usr/libexec/squid/security_file_certgen 2>/dev/null | head -1)
    "$crtd" -c -s "$PWD/squid/db" -M 4MB >/dev/null
    policy_words | sed -e 's/^[^:]*:/^/' -e 's/\./\\./g' >squid/urls
    cat >squid/conf <<END
http_port $HERE:3128 ssl-bump generate-host-certificates=on dynamic_cert_mem_cache_size=4MB tls-cert=$T_NET/ca.pem tls-key=$T_NET/ca.key
http_port $HERE:3129
sslcrtd_program $crtd -s $PWD/squid/db -M 4MB
sslcrtd_children 1
tls_outgoing_options cafile=$T_NET/ca.pem
acl urls url_regex "$PWD/squid/urls"
acl connect method CONNECT
acl origin port 8444 8081
ssl_bump bump all
http_access allow connect origin
http_access allow urls
http_access deny all
cache deny all
cache_mem 0
access_log none
cache_log $PWD/squid/log
pid_filename none
coredump_dir none
netdb_filename none
max_filedescriptors 8192
pinger_enable off
shutdown_lifetime 0
END
    chmod 644 "$T_NET/ca.key"
    chown -R proxy: squid
    start squid 3128 squid -N -f "$PWD/squid/conf"
}

start_mitmproxy() {
    mkdir -p mitm
    cat "$T_NET/ca.key" "$T_NET/ca.pem" >mitm/mitmproxy-ca.pem
    cat >mitm/allow.py <<'END'
import mitmproxy.http
PREFIXES = tuple(line.split(":", 1)[1].strip() for line in open("mitm/policy"))
def request(flow):
    if not flow.request.url.startswith(PREFIXES):
        flow.response = mitmproxy.http.Response.make(403)
END
    policy_words >mitm/policy
    start mitmproxy 8080 mitmdump -q --listen-host "$HERE" --listen-port 8080 -s mitm/allow.py \
        --set "confdir=$PWD/mitm" --set connection_strategy=lazy --set stream_large_bodies=1m \
        --set "ssl_verify_upstream_trusted_ca=$T_NET/ca.pem"
}

start_tinyproxy() {
    cat >tinyproxy.conf <<END
Listen $HERE
Port 8888
Timeout 600
MaxClients 1000
LogLevel Critical
LogFile "$PWD/tinyproxy.out"
Allow 203.0.113.0/24
ConnectPort 8444
ConnectPort 8081
END
    start tinyproxy 8888 tinyproxy -d -c "$PWD/tinyproxy.conf"
}

# --- the client ---

client_of() { # PEER COMMAND...: a client that waits for orders, behind two pipes
    local peer=$1 in out
    shift
    mkfifo "in.$peer" "out.$peer"
    "$@" <"in.$peer" >"out.$peer" 2>"client.$peer.log" &
    client_pid=$!
    exec {in}>"in.$peer" {out}<"out.$peer"
    client_in["$peer"]=$in client_out["$peer"]=$out
}

client_for() { # PEER ARGUMENT...: a client in the client's network
    client_of "$1" in_client "$BUILD/bench/client" "${@:2}"
}

client_in_jail() { # PEER POLICY ARGUMENT...: a jail with this policy, and in it a client
    client_of "$1" taskset -c "$PROXY_CPU" cijail -q -p "$2" -- taskset -c "$CLIENT_CPU" "$BUILD/bench/client" "${@:3}"
    peer_pid["$1"]=$client_pid
}

tell() { # PEER WORD...: a line for its client
    (echo "${*:2}" >&"${client_in[$1]}") || die "the client of $1 ended: $(cat "client.$1.log" "$1.log" 2>/dev/null | tail -5)"
}

client_says() { # PEER: a line of the client, to $line
    read -r -t 600 -u "${client_out[$1]}" line || die "the client of $1: $(cat "client.$1.log" "$1.log" 2>/dev/null | tail -5)"
}

# order PEER ORDER...: carries one out; appends "PEER REQUESTS MICROSECONDS BYTES FAILURES CLOSED CPU ORIGIN" to the
# file $2.results where ORDER begins with the name: order PEER RESULTS ORDER...
order() {
    local peer=$1 results=$2 line before_cpu before_origin pids
    shift 2
    origin_connections
    before_origin=$origin_count
    tell "$peer" "$*"
    client_says "$peer"
    # shellcheck disable=SC2046,SC2086 # words
    { pids=$(processes "$peer" "${peer_pid[$peer]:-$$}"); before_cpu=$(cpu_us $pids); }
    tell "$peer" go
    client_says "$peer"
    # shellcheck disable=SC2086 # words
    before_cpu=$(($(cpu_us $pids) - before_cpu))
    origin_connections
    echo "$peer $line $before_cpu $((origin_count - before_origin))" >>"$results.results"
}

all_peers() { # for the three tables of requests
    client_network
    start_origin
    start_nginx_direct
    start_nginx_proxy
    start_haproxy
    start_squid
    start_mitmproxy
    policy_words >policy
    client_for nginx-direct $HERE 8444 $AUTHORITY
    client_for nginx-proxy $HERE 8445 $AUTHORITY
    client_for haproxy $HERE 8446 $AUTHORITY
    client_for haproxy-fresh $HERE 8447 $AUTHORITY
    client_for squid -x $HERE 3128 $AUTHORITY
    client_for mitmproxy -x $HERE 8080 $AUTHORITY
    client_in_jail cijail ./policy -x 192.0.0.1 3128 $AUTHORITY
}
