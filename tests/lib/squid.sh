# squid.sh: a proxy as companies have them, squid at 192.0.2.10 (proxy.example) of the test internet's host: plain on
# port 3128, by TLS on port 3129, for the user "ci job" with the password "s3cret:&/word" alone.
# shellcheck shell=bash disable=SC2034 # variables for the test files
SQUID_TOKEN=$(printf %s 'ci job:s3cret:&/word' | base64)
SQUID_USER=ci%20job:s3cret:%26%2Fword
SQUID_LOG=$T_TMP/squid/access.log

squid_config() {
    cat <<END
http_port 192.0.2.10:3128
https_port 192.0.2.10:3129 tls-cert=$T_TMP/squid/proxy.pem tls-key=$T_TMP/squid/proxy.key
auth_param basic program /usr/lib/squid/basic_ncsa_auth $T_TMP/squid/users
auth_param basic children 1 startup=1
acl known proxy_auth REQUIRED
acl refused dstdomain files.example
acl CONNECT method CONNECT
acl tunnels port 443 8443 22 7000
http_access deny CONNECT !tunnels
http_access deny refused
http_access allow known
http_access deny all
hosts_file $T_TMP/squid/hosts
dns_nameservers 192.0.2.53
access_log stdio:$SQUID_LOG
cache_log $T_TMP/squid/cache.log
logfile_rotate 0
pid_filename none
coredump_dir $T_TMP/squid
cache deny all
memory_pools off
shutdown_lifetime 0 seconds
connect_timeout 5 seconds
via on
strip_query_terms off
$( ((EUID)) || echo 'cache_effective_user proxy')
END
}

squid_start() {
    local token=$T_TMP/squid
    chmod 755 "$T_TMP"
    install -d -m 755 "$token"
    printf 'ci job:%s\n' "$(openssl passwd -apr1 's3cret:&/word')" >"$token/users"
    echo '198.51.100.20 outside.example' >"$token/hosts"
    echo '192.0.2.10 proxy.example' >>/etc/hosts
    openssl ecparam -name prime256v1 -genkey -noout -out "$token/proxy.key"
    echo 'subjectAltName=DNS:proxy.example' >"$token/proxy.ext"
    openssl req -new -key "$token/proxy.key" -subj /CN=proxy.example | openssl x509 -req -CA "$T_NET/ca.pem" \
        -CAkey "$T_NET/ca.key" -set_serial 77 -days 2 -extfile "$token/proxy.ext" -out "$token/proxy.pem" 2>/dev/null
    : >"$SQUID_LOG"
    squid_config >"$token/conf"
    ((EUID)) || chown -R proxy "$token"
    # its shared memory is named after the service, and the machine may run another one
    /usr/sbin/squid -n "${T_TMP##*.}" -N -f "$token/conf" >"$token/out" 2>&1 </dev/null &
    SQUID=$!
    until_true nc -z 192.0.2.10 3129 || t_fail "squid: $(tail -n 5 "$token/out" "$token/cache.log")"
}

squid_stop() {
    kill "$SQUID"
    wait "$SQUID" 2>/dev/null
}

# What went by it since the last call: "METHOD URL" a line. It writes a line when the connection has ended.
squid_saw() { # REGEX: waits for a line that matches
    until_true grep -qE "$1" "$SQUID_LOG"
    seen=$(awk '{print $4, $6, $7}' "$SQUID_LOG")
    : >"$SQUID_LOG"
}
