#!/usr/bin/env bash
# The tarball and Debian's package: whole, without a word of lintian's, twice the same bytes, and what is installed works.
# Of tests/run --ci.
# timeout: 1800
. "$(dirname "$0")/lib/lib.sh"
in_real_network
export T_LIMIT=1200 DEB_BUILD_OPTIONS="nocheck parallel=$(nproc)"

t_case 'the tarball has every file of the repository'
run make -C "$BUILD" -s distdir distdir="$T_TMP/cijail"
t_status 0
t_true test -x cijail/configure -a -x cijail/tests/run -a -x cijail/debian/rules
if git=$(git -c safe.directory="$T_SRC" -C "$T_SRC" ls-files 2>/dev/null); then
    t_true test "$(wc -l <<<"$git")" -ge 500
    t_eq "$(comm -23 <(grep -v '^\.gitignore$' <<<"$git" | sort) <(cd cijail && find . -type f -printf '%P\n' | sort))" ''
fi

t_case 'the package is built from it, in two places'
cat >build.sh <<'END'
mkdir -p "$1" && cp -a cijail "$1/" && cd "$1/cijail" && exec dpkg-buildpackage -us -uc "${@:2}" >../log 2>&1 </dev/null
END
run bash -c 'bash build.sh one & TZ=Asia/Tokyo LC_ALL=C.UTF-8 bash build.sh other/place -b; status=$?; wait $! && exit $status'
t_status 0
((status == 0)) || t_show log "$(tail -n 12 one/log; tail -n 12 other/place/log)"
debs=$(cd one && echo cijail*.deb)
t_eq "$(wc -w <<<"$debs")" 2

t_case 'both have the same bytes'
for deb in $debs; do t_true cmp "one/$deb" "other/place/$deb"; done

t_case 'lintian says nothing'
run lintian --allow-root --fail-on error,warning one/cijail_*.changes
t_status 0
t_eq "$out" ''

t_case 'it has the programs, the manual pages and what else is installed'
dpkg-deb -c one/cijail_*.deb | awk '{ print $1, $6 }' >contents
for file in bin/cijail{,ctl} libexec/cijail/cijail-{dnsproxy,httpproxy,oci-hook}; do
    t_true grep -q "^-rwxr-xr-x ./usr/$file\$" contents
done
for page in "$T_SRC"/man/*.[1578]; do
    t_true grep -q "/man${page##*.}/${page##*/}.gz\$" contents
done
for preset in "$T_SRC"/policies/*; do t_true grep -q "/usr/share/cijail/policies/${preset##*/}\$" contents; done
for file in bash-completion/completions/cijail zsh/vendor-completions/_cijail fish/vendor_completions.d/cijail.fish \
    vim/vimfiles/syntax/cijailpolicy.vim containers/oci/hooks.d/cijail.json doc/cijail/examples/apparmor/cijail; do
    t_true grep -q "./usr/share/$file\$" contents
done
t_match "$(dpkg-deb -f one/cijail_*.deb Depends)" 'libc6 .*libldns.*libmnl0.*libnghttp2.*libssl3'

t_case 'what the suite needs is named where the package'\''s own test is'
eval "$(sed -n '/^for_tests=(/,/)/p' "$T_SRC/scripts/setup")"
t_true test "${#for_tests[@]}" -ge 30
for package in "${for_tests[@]}"; do
    t_assert "debian/tests/control lacks $package" grep -qE "^ +$package,?\$" "$T_SRC/debian/tests/control"
done

# As root it is installed, in a mount namespace in which what that writes is thrown away.
t_case 'installed, it passes tests of the suite'
files=(/01-basic /35-presets.sh /36-doctor /38-examples)
host() { dpkg-query -W cijail; ls -il /usr/bin/cijail /usr/libexec/cijail; } 2>&1
before=$(host)
if ((EUID == 0)); then
    cat >install.sh <<'END'
mkdir layers && mount -t tmpfs cijail-test layers || exit
for folder in usr etc var; do
    mkdir -p layers/$folder/{upper,work}
    mount -t overlay -o "lowerdir=/$folder,upperdir=$PWD/layers/$folder/upper,workdir=$PWD/layers/$folder/work" \
        cijail-test /$folder || exit
done
dpkg --no-triggers -i one/cijail_*.deb && dpkg -V cijail && exec "$@"
END
    run unshare --mount --propagation private bash install.sh "$T_SRC/tests/run" --installed "${files[@]}"
    t_eq "$(host)" "$before"
else
    dpkg -x one/cijail_*.deb unpacked
    T_KEEP=$T_TMP/unpacked run "$T_SRC/tests/run" --installed="$T_TMP/unpacked/usr" "${files[@]}"
fi
t_status 0
t_match "$(tail -n 1 <<<"$out")" '^[1-9][0-9]+ passed, 0 failed'
t_match "$out" '^ok - user/01-basic: '
t_eq "$(grep -A 9 '^not ok' <<<"$out")" ''
t_done
