#!/usr/bin/env bash
# As root, the system's certificates are installed anew in the jail, which goes on to trust its own CA. An ordinary user's
# pass is uid 0 of a user namespace of its own.
# timeout: 300
. "$(dirname "$0")/../lib/lib.sh"
. "$T_LIB/clients.sh"
in_test_internet "$@"
export HOME=$T_TMP
local_ca=/usr/local/share/ca-certificates

# machine COMMAND...: where folders of certificates are files of this run, and nothing is mounted over the bundle.
cat >machine <<END
#!/bin/sh
set -e
cp $bundle bundle
for folder in /etc/ssl/certs $local_ca; do
    cp -R \$folder copy
    mount -t tmpfs -o mode=755 cijail-test \$folder
    cp -dR copy/. \$folder/
    rm -rf copy
done
cp bundle $bundle
[ ! -e deb ] || for folder in /usr /var/lib/dpkg /var/lib/ca-certificates-java /var/cache/debconf; do
    [ -d \$folder ] || continue
    mkdir -p "over\$folder/upper" "over\$folder/work"
    mount -t overlay -o "lowerdir=\$folder,upperdir=over\$folder/upper,workdir=over\$folder/work" cijail-test \$folder
done
find /etc/ssl/certs $local_ca -type f -exec sha256sum {} + | sort >before
status=0
"\$@" || status=\$?
find /etc/ssl/certs $local_ca -type f -exec sha256sum {} + | sort >after
exit \$status
END
chmod 755 machine
machine=(unshare --mount ./machine)
((EUID == 0)) || machine=(unshare --user --map-root-user --mount ./machine)

if client 'ca-certificates, update' dpkg-query -W -f '${Version}' ca-certificates; then
    within=("${machine[@]}")
    grep -m 3 '^mozilla/' /etc/ca-certificates.conf >three.conf
    update="update-ca-certificates --certsconf $T_TMP/three.conf --hooksdir '' >/dev/null"
    both_ways sh -c "$update && curl -fsS $site/pkg/lodash"

    t_case 'the new bundle has the certificates of the system, one that was added in the jail, and the CA of the jail'
    cp "$T_NET/otherca.pem" company.crt
    run "${machine[@]}" cijail -e $site/ -- sh -c "cp company.crt $local_ca/ && $update && cat $bundle"
    t_status 0
    csplit -z -s -f one- - '/BEGIN CERT/' '{*}' <<<"$out"
    subjects=$(for one in one-*; do openssl x509 -noout -subject -in "$one"; done)
    t_match "$subjects" 'cijail CA'
    t_match "$subjects" 'a CA that nobody trusts'
    t_true test "$(wc -l <<<"$subjects")" -ge 5

    t_case 'outside of the jail nothing has changed'
    t_true cmp before after
    t_true test -s after
fi

if ((EUID == 0)) && client 'ca-certificates, dpkg' dpkg-query -W -f '${Version}' ca-certificates; then
    mkdir -p deb/DEBIAN
    dpkg-query -s ca-certificates | grep -vE '^Status:' >deb/DEBIAN/control
    for file in $(dpkg-query --control-path ca-certificates); do
        [[ $file == *.md5sums ]] || install -m 755 "$file" "deb/DEBIAN/${file##*.}"
    done
    dpkg -L ca-certificates | tar -c --no-recursion -T - 2>/dev/null | tar -x -C deb
    dpkg-deb --build deb ca-certificates.deb >deb.log 2>&1 || sed 's/^/# dpkg-deb: /' deb.log
    within=("${machine[@]}")
    both_ways sh -c "DEBIAN_FRONTEND=noninteractive dpkg --no-triggers -i ca-certificates.deb >&2 && curl -fsS $site/pkg/lodash"

    t_case 'outside of the jail nothing has changed by that'
    t_true cmp before after
fi

t_done
