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
cd project
python3 "$T_LIB/registry.py" npm-many "$T_NET/www/npm" "$npm_config_registry" $many >package-lock.json
node -p 'JSON.stringify(JSON.parse(fs.readFileSync("package-lock.json")).packages[""])' >package.json
policy=GET,HEAD:https://registry.example/npm/

# The most connections to the proxy that the jail had at once, to $0.most, while it runs the rest.
cat >watch.sh <<'END2'
most=0
(while :; do
    n=$(awk '$3 ~ /:0C38$/ && $4 == "01"' /proc/net/tcp | wc -l)
    ((n > most)) && most=$n && echo $most >"$0.most"
    sleep 0.2
done) &
watcher=$!
"$@"
status=$?
kill $watcher
exit $status
END2

t_case '1,000 packages over about as many connections at once'
T_LIMIT=280 run cijail --fail-on-deny -e "$policy" -- bash watch.sh npm clean-install
t_status 0
t_denials 0
t_match "$err" 'cijail: 1[0-9]{3} allowed, 0 denied$'
t_eq "$(find node_modules -maxdepth 1 -name 'many-*' | wc -l)" $many
t_eq "$(node -p 'require("many-0999")')" 999
most=$(cat watch.sh.most)
echo "# at most $most connections at once, $ms ms"
t_assert "npm had $most connections at once, expected 500 at least" test "$most" -ge 500

t_case 'one package of them that the policy does not have is denied'
rm -rf ../home/.npm node_modules
for ((i = 0; i < many - 1; i++)); do
    printf 'GET:https://registry.example/npm/many-%04d/\n' $i
done >../but-one.policy
T_LIMIT=280 run cijail -p ../but-one.policy -- npm clean-install
t_assert 'npm succeeded' test "$status" != 0
t_denials 1
t_match "$err" 'deny - GET https://registry\.example/npm/many-0999/-/many-0999-1\.0\.0\.tgz$'

t_done
