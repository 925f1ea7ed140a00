#!/usr/bin/env bash
# Clients with roots of their own (cargo-deny and others that have them built in; here Python and Node with a file that
# holds the test internet's CA alone). Under a URL endpoint they meet the jail's CA, which they do not know: there the
# original ends, with UnknownIssuer. NAME:PORT lets them through without being read, to that name alone.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"

cp "$T_NET/ca.pem" roots.pem
# bundled.py URL [HOW]: a GET with roots.pem as the only roots; through the proxy of the environment, or if HOW is
# "direct", as if there were none.
cat >bundled.py <<'END2'
import ssl, sys, urllib.error, urllib.request
context = ssl.create_default_context(cafile="roots.pem")
handlers = [urllib.request.HTTPSHandler(context=context)]
if sys.argv[2:] == ["direct"]:
    handlers.append(urllib.request.ProxyHandler({}))
try:
    print(urllib.request.build_opener(*handlers).open(sys.argv[1], timeout=20).read().decode().strip())
except (urllib.error.URLError, OSError) as e:
    sys.exit(str(e))
END2
# The same in Node: it has its roots built in, and is given one more by its own option.
cat >bundled.js <<'END2'
const fs = require("fs"), https = require("https");
https.get(process.argv[2], {ca: [fs.readFileSync("roots.pem")]}, r => r.pipe(process.stdout))
    .on("error", e => { console.error(e.code); process.exitCode = 1; });
END2
url=https://registry.example/pkg/lodash

t_case 'under a URL endpoint: the issuer is unknown'
for how in '' direct; do
    # shellcheck disable=SC2086 # a word or none
    run cijail -e https://registry.example/ -- python3 bundled.py $url $how
    t_status 1
    t_match "$err" 'unable to get local issuer certificate|self.signed certificate'
done
run cijail -e https://registry.example/ -- node bundled.js $url
t_status 1
t_match "$err" 'UNABLE_TO_|SELF_SIGNED'

t_case 'under NAME:PORT: through, unread, with and without the proxy'
for how in '' direct; do
    # shellcheck disable=SC2086
    run cijail -e registry.example:443 -- python3 bundled.py $url $how
    t_status 0
    t_eq "$out" 'a package'
    t_denials 0
done
run cijail -e registry.example:443 -- node bundled.js $url
t_status 0
t_eq "$out" 'a package'
t_denials 0

t_case "Node with its built-in roots alone sees the server's own certificate"
run cijail -e registry.example:443 -- env -u NODE_EXTRA_CA_CERTS -u SSL_CERT_FILE node -e '
    const tls = require("tls");
    const s = tls.connect({host: "registry.example", port: 443, servername: "registry.example",
        rejectUnauthorized: false}, () => { console.log(s.getPeerCertificate().issuer.CN); s.end(); })'
t_eq "$out" 'cijail test CA'
run cijail -e https://registry.example/ -- node -e '
    const tls = require("tls");
    const s = tls.connect({host: "registry.example", port: 443, servername: "registry.example",
        rejectUnauthorized: false}, () => { console.log(s.getPeerCertificate().issuer.CN); s.end(); })'
t_assert "the jail's CA is called as the server's" test "$out" != 'cijail test CA'
t_assert 'there was no certificate' test -n "$out"

t_case 'to that name alone: another host, and another name at the same address'
for how in '' direct; do
    # shellcheck disable=SC2086
    run cijail -e registry.example:443 -- python3 bundled.py https://origin.example/count $how
    t_status 1
    t_match "$err" 'deny '
    # shellcheck disable=SC2086
    run cijail -e registry.example:443 -- python3 bundled.py https://files.example/public/file.txt $how
    t_status 1
    t_match "$err" 'deny '
done
run cijail -e registry.example:443 -- sh -c '
    curl -s -o /dev/null --noproxy "*" --cacert roots.pem https://registry.example/pkg/lodash && echo first
    curl -s --noproxy "*" --cacert roots.pem --connect-to files.example:443:registry.example:443 \
        https://files.example/public/file.txt'
t_eq "$out" first
t_match "$err" 'deny '

t_case 'and to that port alone'
run cijail -e registry.example:443 -- python3 bundled.py https://registry.example:8443/pkg/lodash direct
t_status 1
t_match "$err" 'deny '

t_case 'over IPv6 and IPv4'
for family in 4 6; do
    run cijail -e registry.example:443 -- curl -s -$family --noproxy '*' --cacert roots.pem $url
    t_eq "$out" 'a package'
    run cijail -e other.example:443 -- curl -s -$family --noproxy '*' --cacert roots.pem $url
    t_assert 'curl succeeded' test "$status" != 0
    t_match "$err" 'deny '
done

t_done
