#!/usr/bin/env bash
# What cijail judged and logged is what the origin understood: one corpus of ambiguous requests (requests.txt) through
# the proxy to nginx, Apache, Node and Python's http.server; and the same by HTTP/2, to these by TLS and HTTP/1.1.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
here=$T_SRC/tests/escape
address=192.0.2.10 # of this host: an address that the policy names is dialled as it is

make_leaf "IP:$address"
mkdir nginx www
cat >nginx/conf <<END
daemon off; pid $T_TMP/nginx/pid; error_log $T_TMP/nginx/error; worker_processes 1;
$( ((EUID)) || echo 'user root;')
events { }
http {
    log_format one escape=none '\$request';
    access_log $T_TMP/nginx.requests one;
    client_body_temp_path $T_TMP/nginx/body; proxy_temp_path $T_TMP/nginx/proxy; fastcgi_temp_path $T_TMP/nginx/fcgi;
    scgi_temp_path $T_TMP/nginx/scgi; uwsgi_temp_path $T_TMP/nginx/uwsgi;
    large_client_header_buffers 4 32k;
    ssl_certificate $T_TMP/leaf.pem;
    ssl_certificate_key $T_TMP/leaf.key;
    server { listen $address:8001; listen $address:9001 ssl; location / { return 200; } }
}
END
cat >apache.conf <<END
ServerRoot $T_TMP
ServerName $address
PidFile $T_TMP/apache.pid
$( ((EUID)) || printf 'User #65534\nGroup #65534\n')
Listen $address:8002
Listen $address:9002
$(for m in mpm_event authz_core ssl; do echo "LoadModule ${m}_module /usr/lib/apache2/modules/mod_$m.so"; done)
StartServers 1
ServerLimit 1
ThreadsPerChild 16
MaxRequestWorkers 16
KeepAliveTimeout 30
MaxKeepAliveRequests 0
DocumentRoot $T_TMP/www
ErrorLog $T_TMP/apache.error
LogFormat "%r" one
CustomLog $T_TMP/apache.requests one
AllowEncodedSlashes NoDecode
<Location />
Require all granted
</Location>
<VirtualHost $address:9002>
SSLEngine on
SSLCertificateFile $T_TMP/leaf.pem
SSLCertificateKeyFile $T_TMP/leaf.key
AllowEncodedSlashes NoDecode
CustomLog $T_TMP/apache.requests one
</VirtualHost>
END
: >nginx.requests >apache.requests >node.requests >python.requests
nginx -p "$T_TMP/nginx/" -c "$T_TMP/nginx/conf" >nginx.out 2>&1 </dev/null &
/usr/sbin/apache2 -X -f "$T_TMP/apache.conf" >apache.out 2>&1 </dev/null &
node "$here/origin.js" 8003 node.requests >node.out 2>&1 </dev/null &
python3 "$here/differential.py" serve 8004 python.requests >python.out 2>&1 </dev/null &
node "$here/origin.js" 9003 node.requests leaf.pem leaf.key >node-tls.out 2>&1 </dev/null &
python3 "$here/differential.py" serve-tls 9004 python.requests leaf.pem leaf.key >python-tls.out 2>&1 </dev/null &
for port in {8,9}00{1,2,3,4}; do
    for ((i = 0; i < 500; i++)); do
        (: <>/dev/tcp/$address/$port) 2>/dev/null && break
        sleep 0.02
    done
done
: >nginx.requests >apache.requests

origins=() policy=()
for port in 8001 8002 8003 8004; do
    origins+=("$address:$port")
    policy+=(-e "http://$address:$port/")
done

# What each origin did is what the log, json, says; PORTS: of the origins, without the last digit.
agree() { # PORTS
    local name
    for name in nginx apache; do # they log the request line: its last word is the version
        sed 's/ HTTP\/1\.[01]$//' $name.requests >$name.lines
    done
    run python3 "$here/differential.py" compare json "$address:${1}1=nginx.lines" "$address:${1}2=apache.lines" \
        "$address:${1}3=node.requests" "$address:${1}4=python.requests"
    t_status 0
    t_count 4 "$out" ": $corpus of $corpus agree, "
    sed 's/^/# /' <<<"$out" | grep ' agree, '
}

t_case 'each request of the corpus gets an answer, or the end of the connection'
T_LIMIT=280 run cijail -v --log json --log-format json "${policy[@]}" -- \
    python3 "$here/differential.py" send "$here/requests.txt" "${origins[@]}"
t_status 0
corpus=$(grep -vc '^# ' "$here/requests.txt")
t_true test "$corpus" -ge 150
t_count $((4 * corpus)) "$out" "^$address:800[1-4] [0-9]+"
t_no_match "$out" '<timeout>|no mark'
t_eq "$err" ''

t_case 'what each origin understood is what was judged and logged'
agree 800

t_case 'some of it was allowed, and most of it refused'
t_true test "$(grep -c '"decision":"allow"' json)" -ge $((4 * corpus + 4 * 50))
t_true test "$(grep -c '"decision":"deny"' json)" -ge $((4 * 100))

t_case 'by HTTP/2: each request that can be said in it gets an answer, or the end of its stream or connection'
: >nginx.requests >apache.requests >node.requests >python.requests
origins=() policy=()
for port in 9001 9002 9003 9004; do
    origins+=("$address:$port")
    policy+=(-e "https://$address:$port/")
done
T_LIMIT=280 run cijail -v --log json --log-format json "${policy[@]}" -- \
    python3 "$here/differential.py" send-h2 "$here/requests.txt" "${origins[@]}"
t_status 0
t_count $((4 * corpus)) "$out" "^$address:900[1-4] [0-9]+ "
t_no_match "$out" '<timeout>|<reset>|no mark'
t_true test "$(grep -vc ' -$' <<<"$out")" -ge $((4 * 100))
t_true test "$(grep -c ' 200$' <<<"$out")" -ge $((4 * 30))
t_eq "$err" ''

t_case 'by HTTP/2: what each origin understood is what was judged and logged'
t_no_match "$(cat nginx.requests apache.requests)" ' HTTP/2'
agree 900

t_done
