#!/usr/bin/env bash
# What programs make requests with: of Node, Python, Java, Go and Rust.
# timeout: 600
. "$(dirname "$0")/../lib/lib.sh"
. "$T_LIB/clients.sh"
long=a-name-that-is-longer-than-what-a-common-name-may-hold.wild.example # 67 characters, of 64
npm_packages undici@6 axios axios-before-connect@npm:axios@1.2.1
in_test_internet "$@"
export HOME=$T_TMP NODE_PATH=$NPM/node_modules

# --- Node ---

npm_version() { node -p "require('$NPM/node_modules/$1/package.json').version"; }
get() { printf '%s.then(t => console.log(t.trim()), e => { console.error(e); process.exit(1); })\n' "$1"; }

if client 'Node.js, fetch' node --version; then
    needs=NODE_EXTRA_CA_CERTS
    node --help | grep -q -e --use-env-proxy || by=itself
    get 'fetch(process.argv[2]).then(r => r.ok ? r.text() : Promise.reject(r.status))' >fetch.js
    both_ways node fetch.js $site/pkg/lodash
fi

if client 'undici' npm_version undici; then
    needs=NODE_EXTRA_CA_CERTS
    get 'require("undici").fetch(process.argv[2], {dispatcher: new (require("undici").EnvHttpProxyAgent)()})
        .then(r => r.ok ? r.text() : Promise.reject(r.status))' >undici.js
    both_ways node undici.js $site/pkg/lodash
fi

get 'require(process.argv[3]).get(process.argv[2]).then(r => r.data)' >axios.js
if client 'axios' npm_version axios; then
    needs=NODE_EXTRA_CA_CERTS
    both_ways node axios.js $site/pkg/lodash axios
fi

# It has the proxy fetch https URLs: "GET https://... HTTP/1.1", and no CONNECT.
if client 'axios, before it knew CONNECT' npm_version axios-before-connect; then
    needs=NODE_EXTRA_CA_CERTS
    both_ways node axios.js $site/pkg/lodash axios-before-connect
fi

# --- Python ---

python_version() { /usr/bin/python3 -c "import $1; print($1.__version__)"; }

if client 'Python, requests' python_version requests; then
    both_ways /usr/bin/python3 -c "import requests; r = requests.get('$site/pkg/lodash'); r.raise_for_status(); print(r.text, end='')"
fi

if client 'Python, urllib3' python_version urllib3; then # its pools know a proxy only if they are told
    by=itself
    both_ways /usr/bin/python3 -c "
import sys, urllib3
r = urllib3.PoolManager(retries=False).request('GET', '$site/pkg/lodash')
print(r.data.decode(), end='')
sys.exit(r.status != 200)"
fi

# --- Java ---

java_version() { java -version; }
javac -d . "$T_LIB/Get.java"
for kind in client connection; do
    if [[ $kind == client ]]; then client 'Java, HttpClient' java_version; else client 'Java, HttpURLConnection' java_version; fi || continue
    want='200 a package' denied_status=0 # it prints what happened
    both_ways java -cp . Get $kind $site/pkg/lodash
done

# --- Go ---

if client 'Go, net/http' go version; then
    export GOCACHE=$T_TMP/go-cache GOPATH=$T_TMP/go GO111MODULE=off CGO_ENABLED=0
    go build -o go-fetch "$T_LIB/fetch.go"
    want='HTTP/1.1 200 HTTP/1.1' denied_status=0
    result() { sed 's/ HTTP\/2.0$/ HTTP\/1.1/' <<<"$out"; }
    both_ways ./go-fetch $site/pkg/lodash

    t_case "$client: a certificate for an address, and for a name that is longer than a common name; a CA that is not the jail's"
    for without in '' "$unset_proxies"; do
        run cijail -e 'https://198.51.100.10/ https://*.wild.example/' -- $without ./go-fetch https://$long/pkg/lodash \
            https://198.51.100.10/pkg/lodash https://attacker.test/
        t_count 2 "$out" '^HTTP/1\.1 200'
        t_count 1 "$out" '^error: '
        t_no_match "$out" 'x509'
    done
    run cijail -e $site/ -- env SSL_CERT_FILE="$T_NET/ca.pem" SSL_CERT_DIR=/nowhere ./go-fetch $site/pkg/lodash
    t_match "$out" '^error: .*x509: certificate signed by unknown authority'
fi

# --- Rust ---

rustls_version() { basename /usr/share/cargo/registry/rustls-0.20.*; }
rustls_fetch=rustls/target/debug/fetch
if client 'rustls, roots of a file' rustls_version; then
    cp -r "$T_LIB/rustls" rustls
    mkdir rustls/.cargo
    printf '[source.crates-io]\nreplace-with = "debian"\n[source.debian]\ndirectory = "/usr/share/cargo/registry"\n' >rustls/.cargo/config.toml
    (cd rustls && BUILT_IN_ROOTS=$(<"$T_NET/ca.pem") CARGO_HOME=$T_TMP/cargo cargo build -q --offline) 2>cargo.err ||
        sed 's/^/# cargo: /' cargo.err
    by=itself want='HTTP/1.1 200 OK' denied_status=0
    both_ways $rustls_fetch registry.example /pkg/lodash $bundle

    t_case "$client: a name that is longer than a common name; a CA that is not the jail's"
    run cijail -e 'https://registry.example/ https://*.wild.example/' -- sh -c "$rustls_fetch $long /pkg/lodash $bundle
        $rustls_fetch registry.example /pkg/lodash $T_NET/ca.pem"
    t_count 1 "$out" '^HTTP/1\.1 200'
    t_count 1 "$out" '^error: .*UnknownIssuer'
fi

# Its roots cannot be added to. It knows the server's CA, as a client with the web's roots would.
if client 'rustls, built-in roots' rustls_version; then
    want='HTTP/1.1 200 OK' denied_status=0
    for way in variables transparent; do
        t_case "$client, $way: an https URL fails, and NAME:PORT is allowed and denied"
        run_in $way $site/pkg/ $rustls_fetch registry.example /pkg/lodash built-in
        t_match "$out" '^error: .*UnknownIssuer'
        t_no_match "$err" 'allow 200'
        run_in $way registry.example:443 $rustls_fetch registry.example /pkg/lodash built-in
        t_eq "$out" "$want"
        t_denials 0
        run_in $way other.example:443 $rustls_fetch registry.example /pkg/lodash built-in
        is_denied
        record $way 'no: unknown issuer'
    done
fi

t_done
