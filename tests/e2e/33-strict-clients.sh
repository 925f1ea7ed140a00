#!/usr/bin/env bash
# Clients that look closely at certificates take those of the jail's CA: OpenSSL at its strictest, GnuTLS, NSS,
# Python. (Java: 34-java.sh; Go, rustls and others: tests/clients.) For each of them what must fail, does.
# timeout: 900
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
export CIJAIL_ENDPOINTS='https://registry.example/pkg/ https://*.wild.example/ https://198.51.100.10/'
bundle=/etc/ssl/certs/ca-certificates.crt
long=a-name-that-is-longer-than-what-a-common-name-may-hold.wild.example # 67 characters, of 64
ok='^HTTP/1\.1 200' denied='^HTTP/1\.1 403'
printf 'GET /pkg/lodash HTTP/1.1\r\nHost: registry.example\r\nConnection: close\r\n\r\n' >allowed
printf 'GET /evil HTTP/1.1\r\nHost: registry.example\r\nConnection: close\r\n\r\n' >evil

# The certificates of one jail: ca.pem, and those of registry.example, the long name and the address as 1.pem to 3.pem.
cat >leaves.sh <<END
cp $bundle all.pem
i=0
for at in registry.example $long 198.51.100.10; do
    i=\$((i + 1))
    case \$at in [0-9]*) name=-noservername ;; *) name="-servername \$at" ;; esac
    openssl s_client -connect 198.51.100.10:443 \$name </dev/null 2>/dev/null | openssl x509 >\$i.pem
done
END
run cijail -- sh leaves.sh
tail -n "+$(($(wc -l <$bundle) + 1))" all.pem | sed -n '/BEGIN/,/END/p' >ca.pem

t_case 'a leaf has what the standard asks for, and a life that clients accept'
for i in 1 2 3; do
    run openssl x509 -in $i.pem -noout -text
    t_match "$out" 'Version: 3 '
    t_match "$out" 'Signature Algorithm: ecdsa-with-SHA256'
    t_match "$out" 'ASN1 OID: prime256v1'
    for extension in 'Key Usage: critical' 'Extended Key Usage' 'Basic Constraints: critical' 'Subject Key Identifier' \
        'Authority Key Identifier' 'Subject Alternative Name'; do
        t_match "$out" "X509v3 $extension"
    done
    t_match "$out" 'CA:FALSE'
    from=$(date -d "$(openssl x509 -in $i.pem -noout -startdate | cut -d = -f 2)" +%s)
    to=$(date -d "$(openssl x509 -in $i.pem -noout -enddate | cut -d = -f 2)" +%s)
    t_true test $((to - from)) -lt $((398 * 86400))
    t_true test $((to - $(date +%s))) -gt $((7 * 86400))
    t_true test $(($(date +%s) - from)) -gt 80000 # for a clock that is behind
done
t_match "$(openssl x509 -in 1.pem -noout -text)" 'DNS:registry\.example$'
t_match "$(openssl x509 -in 2.pem -noout -text)" 'Alternative Name: critical'
t_match "$(openssl x509 -in 3.pem -noout -text)" 'IP Address:198\.51\.100\.10$'
t_eq "$(cat ?.pem | grep -c BEGIN)" 3
t_eq "$(for i in 1 2 3; do openssl x509 -in $i.pem -noout -serial; done | sort -u | wc -l)" 3

t_case 'OpenSSL: openssl verify -x509_strict -purpose sslserver'
verify() { run openssl verify -x509_strict -purpose "$1" -CAfile ca.pem "${@:2}"; }
verify sslserver -verify_hostname registry.example 1.pem
t_status 0
verify sslserver -verify_hostname $long 2.pem
t_status 0
verify sslserver -verify_ip 198.51.100.10 3.pem
t_status 0
verify smimesign 1.pem
t_status 2
verify sslclient 1.pem
t_status 2
verify sslserver -verify_hostname files.example 1.pem
t_status 2
verify sslserver -verify_ip 198.51.100.11 3.pem
t_status 2
verify sslserver -attime "$(($(date +%s) - 172800))" 1.pem
t_status 2
run openssl verify -x509_strict -CAfile "$T_NET/ca.pem" 1.pem
t_status 2

t_case 'OpenSSL: s_client -x509_strict -verify_return_error'
cat >openssl.sh <<END
for version in tls1_2 tls1_3; do
    for request in allowed evil; do
        openssl s_client -proxy 192.0.0.1:3128 -connect registry.example:443 -\$version -x509_strict -verify_return_error \
            -verify_hostname registry.example -CAfile $bundle -quiet -ign_eof <\$request 2>/dev/null | head -n 1
    done
    openssl s_client -connect 198.51.100.10:443 -servername $long -\$version -x509_strict -verify_return_error \
        -verify_hostname $long -CAfile $bundle -brief </dev/null 2>&1 | grep -E '^Verification'
    openssl s_client -connect 198.51.100.10:443 -servername $long -\$version -x509_strict -verify_return_error \
        -verify_hostname registry.example -CAfile $bundle -brief </dev/null 2>&1 | grep -iE 'hostname mismatch|^Verification: OK'
done
END
run cijail -- sh openssl.sh
t_count 2 "$out" "$ok"
t_count 2 "$out" "$denied"
t_count 2 "$out" '^Verification: OK$'
t_count 2 "$out" '[Hh]ostname mismatch'
t_count 1 "$err" ' cijail: deny - GET https://registry\.example/evil$'

t_case 'Python: VERIFY_X509_STRICT, which is its default since 3.13'
cat >strict.py <<'END'
import http.client, ssl, sys
for host, path in ("registry.example", "/pkg/lodash"), ("registry.example", "/evil"), (sys.argv[1], "/pkg/lodash"), ("attacker.test", "/"):
    context = ssl.create_default_context()
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    try:
        c = http.client.HTTPSConnection("192.0.0.1", 3128, context=context)
        c.set_tunnel(host, 443)
        c.request("GET", path)
        print("HTTP/1.1", c.getresponse().status)
    except OSError as e:
        print("error:", e)
END
run cijail -- python3 strict.py $long
t_count 2 "$out" "$ok"
t_count 1 "$out" "$denied"
t_count 1 "$out" '^error: .*403'
run cijail -- env SSL_CERT_FILE="$T_NET/ca.pem" python3 strict.py $long
t_count 3 "$out" 'CERTIFICATE_VERIFY_FAILED'

t_case 'GnuTLS: gnutls-cli, certtool'
if need gnutls-cli command -v gnutls-cli; then
    cat >gnutls.sh <<END
for request in allowed evil; do
    { cat \$request; sleep 1; } | gnutls-cli --x509cafile $bundle -p 443 registry.example 2>&1 | tr -d '\\r' | grep -aE '^HTTP/1'
done
gnutls-cli --x509cafile $bundle -p 443 $long </dev/null 2>&1 | grep -E 'Status:'
gnutls-cli --x509cafile $T_NET/ca.pem -p 443 registry.example <allowed 2>&1 | grep -aE 'Status:|^HTTP/1'
gnutls-cli --x509cafile $bundle --verify-hostname files.example -p 443 registry.example <allowed 2>&1 | grep -aE 'Status:|^HTTP/1'
gnutls-cli --x509cafile $bundle --sni-hostname files.example --verify-hostname files.example -p 443 registry.example <allowed 2>&1 | grep -aiE 'received alert|^HTTP/1'
END
    run cijail -- sh gnutls.sh
    t_count 1 "$out" "$ok"
    t_count 1 "$out" "$denied"
    t_count 1 "$out" 'Status: The certificate is trusted'
    t_count 1 "$out" 'NOT trusted.*(unknown|issuer)'
    t_count 1 "$out" 'NOT trusted.*name'
    t_match "$out" 'alert \[112\]'
    run certtool --verify --load-ca-certificate ca.pem --infile 1.pem --verify-hostname registry.example --verify-purpose 1.3.6.1.5.5.7.3.1
    t_status 0
    run certtool --verify --load-ca-certificate ca.pem --infile 1.pem --verify-hostname files.example --verify-purpose 1.3.6.1.5.5.7.3.1
    t_status 1
    run certtool --verify --load-ca-certificate ca.pem --infile 1.pem --verify-hostname registry.example --verify-purpose 1.3.6.1.5.5.7.3.4
    t_status 1
fi

t_case 'NSS: tstclnt'
if need tstclnt command -v tstclnt; then
    cat >nss.sh <<END
mkdir with without
for db in with without; do certutil -N -d sql:\$db --empty-password; done
tail -n +$(($(wc -l <$bundle) + 1)) $bundle | sed -n '/BEGIN/,/END/p' | certutil -A -d sql:with -n jail -t C,,
for request in allowed evil; do
    tstclnt -h registry.example -p 443 -d sql:with -A \$request 2>&1 | tr -d '\\r' | grep -aE '^HTTP/1'
done
tstclnt -h registry.example -p 443 -d sql:without -A allowed 2>&1 | grep -aoE 'UNKNOWN_ISSUER|^HTTP/1'
tstclnt -h registry.example -a wild.wild.example -p 443 -d sql:with -A allowed 2>&1 | tr -d '\\r' | grep -aoE '^HTTP/1.*'
tstclnt -h registry.example -a attacker.test -p 443 -d sql:with -A allowed 2>&1 | grep -aoE 'UNRECOGNIZED_NAME_ALERT|^HTTP/1.*'
END
    run cijail -- bash nss.sh
    t_count 1 "$out" "$ok"
    t_count 1 "$out" "$denied"
    t_count 1 "$out" '^UNKNOWN_ISSUER$'
    t_count 1 "$out" '^HTTP/1\.1 400' # SNI and Host differ
    t_count 1 "$out" '^UNRECOGNIZED_NAME_ALERT$'
fi

t_done
