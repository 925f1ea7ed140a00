#!/usr/bin/env bash
# npm with a thousand connections: an installation of 1,000 packages, with no bound on the sockets (which the original
# needed: npm --maxsockets 1). npm's own bound has been "none" in some versions; here it is said.
# alone
# timeout: 600
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"

mkdir -p home project
export HOME=$PWD/home npm_config_registry=https://registry.example/npm/ npm_config_update_notifier=false \
    npm_config_fund=false npm_config_audit=false npm_config_fetch_retries=0 npm_config_maxsockets=1000
many=1000
python3 "$T_LIB/registry.py" npm-many "$T_NET/www/npm" "$npm_config_registry" $many
cd project
node -e '
    const dependencies = {};
    for (let i = 0; i < +process.argv[1]; i++) dependencies["many-" + String(i).padStart(4, "0")] = "1.0.0";
    console.log(JSON.stringify({name: "project", version: "1.0.0", dependencies}))' $many >package.json

# The most connections to the proxy that the jail had at once, to $1, while it runs the rest.
cat >watch.sh <<'END2'
most=0
(while :; do
    n=$(ss -Htn state established dst 192.0.0.1 | wc -l)
    ((n > most)) && most=$n && echo $most >"$0.most"
    sleep 0.1
done) &
watcher=$!
"$@"
status=$?
kill $watcher
exit $status
END2

t_case '1,000 packages, with hundreds of connections at once'
wire_start
T_LIMIT=280 run cijail --fail-on-deny -e 'GET,HEAD:https://registry.example/npm/' -- bash watch.sh npm install
wire_stop
t_status 0
t_denials 0
t_eq "$(find node_modules -maxdepth 1 -name 'many-*' | wc -l)" $many
t_eq "$(node -p 'require("many-0999")')" 999
most=$(cat watch.sh.most)
echo "# at once: $most connections of npm; $(grep -c 'Flags \[S' <<<"$WIRE") to the registry; $ms ms"
t_assert "npm had $most connections at once, expected 500 at least" test "$most" -ge 500

t_case 'the same again from the lock file, with an empty cache'
rm -rf ../home/.npm
T_LIMIT=280 run cijail --fail-on-deny -e 'GET,HEAD:https://registry.example/npm/' -- npm clean-install
t_status 0
t_eq "$(find node_modules -maxdepth 1 -name 'many-*' | wc -l)" $many

t_case 'one package that the policy does not have is denied, among them all'
rm -rf ../home/.npm
# shellcheck disable=SC2046 # words
run cijail -e "$(printf 'GET:https://registry.example/npm/many-0%s ' $(seq -w 000 998))" -- \
    npm clean-install
t_assert 'npm succeeded' test "$status" != 0
t_match "$err" 'deny - GET https://registry\.example/npm/many-0999/-/many-0999-1\.0\.0\.tgz'

t_done
