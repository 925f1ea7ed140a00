#!/usr/bin/env bash
# What comes out of a container's jail, in the test internet: names, URLs, TLS with the jail's CA, raw endpoints.
# timeout: 600
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/oci.sh"
in_test_internet_with_podman "$@"
need_podman

t_case 'URLs by their prefix, over https and http; by the proxy and without'
jailed --endpoint https://registry.example/pkg/ --endpoint http://origin.example/ -- sh -c '
    curl -sS https://registry.example/pkg/lodash
    curl -sS --noproxy "*" https://registry.example/pkg/lodash
    curl -sS -o /dev/null -w "%{http_code}\n" https://registry.example/other
    curl -sS -o /dev/null -w "%{http_code}\n" http://origin.example/no-such-thing
    curl -sS -m 5 https://files.example/public/file.txt'
t_count 2 "$out" '^a package'
t_match "$out" '^403$'
t_match "$out" '^404$' # of the server
t_count 1 "$err" ' cijail: deny - GET https://registry\.example/other$'
t_match "$err" ' cijail: deny - CONNECT files\.example:443$'

t_case '--limit-upload holds for a container'
head -c 100000 /dev/zero >root/tmp/body
jailed --endpoint https://origin.example/ --limit-upload 50K -- curl -sS -o /dev/null -w '%{http_code}' --data-binary @/tmp/body \
    https://origin.example/
small=$out
jailed --endpoint https://origin.example/ --limit-upload 500K -- curl -sS -o /dev/null -w '%{http_code}' --data-binary @/tmp/body \
    https://origin.example/
t_true test "$small" != "$out"

t_case 'names: REFUSED if not allowed, and no question leaves'
wire_start
jailed --endpoint registry.example -- sh -c 'dig +short registry.example; dig other.example; dig secret.attacker.tld'
wire_stop
t_match "$out" '^198\.51\.100\.'
t_count 2 "$out" 'status: REFUSED'
t_no_match "$WIRE" 'other\.example|attacker'

t_case 'names by the DNS servers of --upstream'
for server in 192.0.2.53 2001:db8:53::53 [2001:db8:53::53]:53; do
    jailed --endpoint registry.example --upstream "$server" -- dig +short registry.example A
    t_match "$out" '^198\.51\.100\.'
done
jailed --endpoint registry.example --upstream 192.0.2.53:54 -- dig +short +tries=1 registry.example A
t_no_match "$out" '^198\.51\.100\.'

t_case 'addresses and ports'
jailed --endpoint 198.51.100.10:80 -- sh -c '
    curl -sS -m 5 -o /dev/null -w "%{http_code}\n" --noproxy "*" http://198.51.100.10/
    curl -sS -m 5 -o /dev/null -w "%{http_code}\n" --noproxy "*" http://198.51.100.11/'
t_match "$out" '^(200|[34][0-9][0-9])$'
t_match "$err" ' cijail: deny connect 198\.51\.100\.11:80'

t_case 'what the image has of a trust store: as it is, at another place, or nothing'
verify='curl -sS https://registry.example/pkg/lodash'
cp -R root root.none && rm -f root.none/etc/ssl/certs/*
cp -R root.none root.fedora && mkdir -p root.fedora/etc/pki/tls/certs && cp root/etc/ssl/certs/* root.fedora/etc/pki/tls/certs/ca-bundle.crt
cp -R root.none root.link && mkdir -p root.link/etc/pki/tls/certs &&
    ln -s ../../../../../../../../../../etc/shadow root.link/etc/pki/tls/certs/ca-bundle.crt
for root in root root.none root.fedora root.link; do
    before=$(find "$root/etc" -type f -size +0 -exec sha256sum {} + | sort)
    run "$CTL" podman run --endpoint https://registry.example/ --rm -v /usr:/usr:ro --rootfs "$T_TMP/$root" sh -c \
        "$verify; cat /etc/pki/tls/certs/ca-bundle.crt | grep -c BEGIN; env -i PATH=/usr/bin $verify"
    t_count 2 "$out" '^a package'
    t_eq "$(find "$root/etc" -type f -size +0 -exec sha256sum {} + | sort)" "$before"
done

t_case 'podman exec: the trust store and the variables'
run "$CTL" podman run --endpoint https://registry.example/ -d --name one -v /usr:/usr:ro --rootfs "$T_TMP/root" sleep 100
t_status 0
run podman exec one $verify
t_eq "$out" 'a package'
run podman exec one sh -c "env; $verify --noproxy '*'; curl -sS https://other.example/"
t_match "$out" '^SSL_CERT_FILE=/etc/ssl/certs/ca-certificates\.crt$'
t_match "$out" '^a package'
t_match "$err" '403'
podman rm -f -t 0 one >/dev/null
t_nothing_left

t_case 'the key of the CA is not on a disk, and the folder of the start is gone'
t_eq "$(grep -rl 'PRIVATE KEY' "$XDG_RUNTIME_DIR" 2>/dev/null)" ''
t_nothing_left

t_done
