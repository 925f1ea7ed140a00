#!/usr/bin/env bash
# Java in the jail: it trusts the jail's CA and goes by its proxy, without a change.
# timeout: 600
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
export CIJAIL_ENDPOINTS='GET:https://registry.example/ GET:http://registry.example/ registry.example:8443'
unset JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS
run javac -d . "$T_LIB/Get.java"
bundle=/etc/ssl/certs/ca-certificates.crt
# Java without the proxy's properties, its trust store being that of the system alone.
bare='env -u JAVA_TOOL_OPTIONS'

t_case 'the store holds the roots and the CA of the jail, as anchors of trust'
run cijail -- sh -c 'keytool -J-Xshare:auto -list -cacerts -storepass changeit; grep -c "BEGIN CERT" '$bundle
t_count 2 "$out" 'trustedCertEntry'
t_match "$out" '^2$'
run cijail -- sh -c 'keytool -list -v -keystore "$(readlink -f /etc/ssl/certs/java/cacerts)" -storepass anything'
t_match "$out" 'Owner: CN=cijail CA'
t_match "$out" 'Owner: CN=cijail test CA'
run cijail -- sh -c 'openssl pkcs12 -in /etc/ssl/certs/java/cacerts -nokeys -passin pass: -nomacver'
t_count 2 "$out" 'BEGIN CERTIFICATE'
t_match "$out" '2\.16\.840\.1\.113894\.746875\.1\.1|Trusted key usage'
CIJAIL_ENDPOINTS='http://registry.example/' run cijail -- sh -c 'sha256sum </etc/ssl/certs/java/cacerts; echo "[$JAVA_TOOL_OPTIONS]"'
t_eq "$out" "$(sha256sum </etc/ssl/certs/java/cacerts)"$'\n[]'

t_case 'JAVA_TOOL_OPTIONS: the store and the proxy, behind what the caller has set'
JAVA_TOOL_OPTIONS='-Da.b=c -Xmx200m' run cijail -- sh -c 'echo "$JAVA_TOOL_OPTIONS"'
t_match "$out" '^-Da\.b=c -Xmx200m -Djavax\.net\.ssl\.trustStore=/[^ ]*/cacerts -Djavax\.net\.ssl\.trustStoreType=PKCS12 '
t_match "$out" ' -Dhttps\.proxyHost=192\.0\.0\.1 -Dhttps\.proxyPort=3128 '

for way in client connection; do
    t_case "allowed and denied: $way, by the proxy"
    run cijail -- java -cp . Get $way https://registry.example/echo http://registry.example/echo https://other.example/ https://registry.example:8443/echo
    t_count 1 "$out" '^200 GET https://registry\.example/echo$'
    t_count 1 "$out" '^200 GET http://registry\.example/echo$'
    t_count 1 "$out" '^200 GET https://registry\.example:8443/echo$' # NAME:PORT: the real certificate
    t_count 1 "$out" '^java\.io\.IOException: .*403'
    t_denials 1
    t_match "$err" 'cijail: deny - CONNECT other\.example:443$'

    t_case "allowed and denied: $way, with no property at all"
    run cijail -- $bare java -cp . Get $way https://registry.example/echo http://registry.example/echo https://other.example/
    t_count 1 "$out" '^200 GET https://registry\.example/echo$'
    t_count 1 "$out" '^200 GET http://registry\.example/echo$'
    t_count 1 "$err" 'cijail: deny resolve other\.example A$'
    run cijail -- $bare java -cp . Get $way https://registry.example:8443/echo
    t_eq "$out" '200 GET https://registry.example:8443/echo'
done

t_case 'a JVM with a store of its own does not know the CA, until the properties say so'
cp -L /etc/ssl/certs/java/cacerts mine
run cijail -- $bare java -Djavax.net.ssl.trustStore=mine -cp . Get client https://registry.example/echo
t_match "$out" 'SSLHandshakeException'
JAVA_TOOL_OPTIONS=-Djavax.net.ssl.trustStore=$PWD/mine run cijail -- java -cp . Get client https://registry.example/echo
t_eq "$out" '200 GET https://registry.example/echo'

t_case 'the store of the JVM in JAVA_HOME is covered as well, and the host'\''s stays as it is'
install -d home/jvm/lib/security
cp mine home/jvm/lib/security/cacerts
JAVA_HOME=$PWD/home/jvm run cijail -- sh -c 'cmp $JAVA_HOME/lib/security/cacerts "$(readlink -f /etc/ssl/certs/java/cacerts)" && echo "$JAVA_TOOL_OPTIONS"'
t_match "$out" "trustStore=$PWD/home/jvm/lib/security/cacerts "
t_true cmp mine home/jvm/lib/security/cacerts
t_true cmp mine /etc/ssl/certs/java/cacerts

t_done
