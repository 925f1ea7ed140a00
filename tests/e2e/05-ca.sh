#!/usr/bin/env bash
# The jail's CA: tools trust it in the jail and nowhere else.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
export CIJAIL_ENDPOINTS='https://registry.example/ https://git.example/ https://files.example/'
bundle=/etc/ssl/certs/ca-certificates.crt
variables='SSL_CERT_FILE CURL_CA_BUNDLE GIT_SSL_CAINFO PIP_CERT REQUESTS_CA_BUNDLE NODE_EXTRA_CA_CERTS CARGO_HTTP_CAINFO
    AWS_CA_BUNDLE DENO_CERT NIX_SSL_CERT_FILE HTTPLIB2_CA_CERTS GRPC_DEFAULT_SSL_ROOTS_FILE_PATH
    CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE BUNDLE_SSL_CA_CERT'

t_case 'the bundle at the system'\''s path is the system'\''s roots and one CA more'
before=$(sha256sum <$bundle)
run cijail -- cat $bundle
t_count 2 "$out" 'BEGIN CERTIFICATE'
t_true diff <(head -n "$(wc -l <$bundle)" <<<"$out") $bundle
t_eq "$(sha256sum <$bundle)" "$before"
t_false grep -rsqF "$(tail -n 4 <<<"$out" | head -n 1)" /etc/ssl

t_case 'another jail has another CA; without https endpoints there is none'
first=$out
run cijail -- cat $bundle
t_assert 'the same CA twice' test "$out" != "$first"
CIJAIL_ENDPOINTS='http://registry.example/' run cijail -- cat $bundle
t_eq "$(sha256sum <<<"$out")" "$before"

t_case 'where parts of /proc are covered, as in a container, it stays, and the CA is there all the same'
in_mounts=(unshare --mount --propagation private)
((EUID == 0)) || in_mounts+=(--user --map-root-user)
cat >look.sh <<'END'
echo "certificates $(grep -c 'BEGIN CERTIFICATE' "$1"), mounts $(grep -c ' /proc ' /proc/self/mounts)"
[ "$(readlink /proc/self)" -lt 100 ] && echo 'a number of its own' || echo 'a number of the outer /proc'
END
cat >covered.sh <<'END'
mount --bind /dev/null /proc/interrupts
grep -c ' /proc ' /proc/self/mounts
cijail -q -- sh -c 'sh look.sh "$1"; curl -sS https://registry.example/pkg/lodash' - "$1"
END
run "${in_mounts[@]}" sh covered.sh $bundle
t_status 0
t_eq "$(sed 1d <<<"$out")" "certificates 2, mounts $(sed 1q <<<"$out")"$'\na number of the outer /proc\na package'
run cijail -q -- sh look.sh $bundle # the twin
t_match "$out" 'certificates 2,'
t_match "$out" 'a number of its own'

t_case 'the CA is ECDSA P-256, a CA, and short of life'
cijail -- tail -n "+$(($(wc -l <$bundle) + 1))" $bundle | sed -n '/BEGIN/,/END/p' >jail.pem
run openssl x509 -in jail.pem -noout -text
t_match "$out" 'prime256v1|P-256'
t_match "$out" 'CA:TRUE'
t_match "$out" 'Issuer: .*cijail'
run openssl x509 -in jail.pem -noout -checkend 3600
t_status 0

t_case 'the key is nowhere in the jail: the search finds but the one that was put there'
openssl ecparam -name prime256v1 -genkey -noout -out planted
run cijail -- sh -c 'grep -rlsE "BEGIN (EC )?PRIVATE KEY" /etc/ssl/certs /run /tmp | grep -v "^/tmp/.net/"; env | grep "PRIVATE KEY"'
t_eq "$out" "$T_TMP/planted"

t_case 'the variables that tools read point at a file that holds the CA'
# shellcheck disable=SC2086
run cijail -- sh -c 'for v in '"${variables//$'\n'/ }"'; do eval "f=\$$v"; grep -c "BEGIN CERTIFICATE" "$f" /dev/null | head -n 1; done'
t_count 14 "$out" ':2$'

t_case 'a bundle that the caller has set is the base'
cp "$T_NET/otherca.pem" mine.pem
SSL_CERT_FILE=$PWD/mine.pem CIJAIL_ENDPOINTS='https://badca.example/' run cijail -- curl -sS https://badca.example/
t_eq "$out" reached
REQUESTS_CA_BUNDLE=$PWD/mine.pem run cijail -- sh -c 'grep -c "BEGIN CERT" $REQUESTS_CA_BUNDLE; curl -sS https://registry.example/pkg/lodash'
t_eq "$out" $'2\na package'
t_count 1 "$(cat mine.pem)" 'BEGIN CERT'

t_case 'a leaf is for one host, is valid, and is cached'
run cijail -- sh -c 'for i in 1 2; do openssl s_client -proxy 192.0.0.1:3128 -connect registry.example:443 </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -ext subjectAltName,basicConstraints,extendedKeyUsage; done'
t_count 2 "$out" 'DNS:registry\.example$'
t_eq "$(grep -i fingerprint <<<"$out" | sort -u | wc -l)" 1
t_no_match "$out" 'CA:TRUE'

t_case 'TLS in the jail is no weaker than without'
run cijail -- openssl s_client -proxy 192.0.0.1:3128 -connect registry.example:443 -brief
t_match "$err" 'TLSv1\.3'
run cijail -- openssl s_client -proxy 192.0.0.1:3128 -connect registry.example:443 -brief -no_tls1_3
t_match "$err" 'TLSv1\.2'
run cijail -- openssl s_client -proxy 192.0.0.1:3128 -connect registry.example:443 -brief -tls1_1 -cipher 'ALL@SECLEVEL=0'
t_no_match "$err" 'CONNECTION ESTABLISHED'

t_case 'curl, wget, Python'\''s urllib'
run cijail -- curl -sS https://registry.example/pkg/lodash
t_eq "$out" 'a package'
run cijail -- wget -q -O - https://registry.example/pkg/lodash
t_eq "$out" 'a package'
run cijail -- python3 -c 'import urllib.request; print(urllib.request.urlopen("https://registry.example/pkg/lodash").read())'
t_eq "$out" "b'a package\\n'"

t_case 'Python with requests, where it is installed; else http.client through the proxy'
cat >client.py <<'END'
import http.client, os, ssl, urllib.parse
try:
    import requests
    print(requests.get("https://registry.example/pkg/lodash").text, end="")
except ImportError:
    proxy = urllib.parse.urlsplit(os.environ["https_proxy"])
    c = http.client.HTTPSConnection(proxy.hostname, proxy.port, context=ssl.create_default_context())
    c.set_tunnel("registry.example", 443)
    c.request("GET", "/pkg/lodash")
    print(c.getresponse().read().decode(), end="")
END
run cijail -- python3 client.py
t_eq "$out" 'a package'

t_case 'git clone over https: smart and dumb'
export HOME=$T_TMP GIT_CONFIG_NOSYSTEM=1
run cijail -- git clone -q https://git.example/git/project.git smart
t_status 0
t_eq "$(cat smart/README 2>&1)" 'hello from git'
run cijail -- git clone -q https://files.example/git/project.git dumb
t_status 0
t_eq "$(cat dumb/README 2>&1)" 'hello from git'
run cijail -- git clone -q https://attacker.test/project.git stolen
t_status 128
t_match "$err" 'deny .*attacker\.test'

t_case 'Node trusts the CA: TLS through the proxy'
cat >tunnel.js <<'END'
const http = require("http"), https = require("https"), tls = require("tls");
const proxy = new URL(process.env.https_proxy);
const request = http.request({host: proxy.hostname, port: proxy.port, method: "CONNECT", path: "registry.example:443",
                              headers: {host: "registry.example:443"}});
request.on("connect", (response, socket) => {
    https.get({host: "registry.example", port: 443, defaultPort: 443, path: "/pkg/lodash",
               createConnection: () => tls.connect({socket, servername: "registry.example"})},
              r => r.pipe(process.stdout));
}).on("error", e => { console.log(e.code); process.exit(1); }).end();
END
run cijail -- node tunnel.js
t_eq "$out" 'a package'

t_case 'Node'\''s fetch: by NODE_USE_ENV_PROXY where it knows that, else intercepted'
cat >fetch.js <<'END'
fetch("https://registry.example" + process.argv[2]).then(async r => console.log(r.status, await r.text()),
    e => { console.log(e.cause ? e.cause.code : e); process.exit(1); });
END
CIJAIL_ENDPOINTS= run cijail -e https://registry.example/pkg/ -- node fetch.js /pkg/lodash
t_match "$out" '^200 a package'
CIJAIL_ENDPOINTS= run cijail -e https://registry.example/pkg/ -- node fetch.js /private/key
t_match "$out" '^403 cijail: this request is not allowed'
CIJAIL_ENDPOINTS= run cijail -e https://files.example/ -- node fetch.js /pkg/lodash
t_status 1
t_under 10000

t_done
