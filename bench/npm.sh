#!/usr/bin/env bash
# npm.sh: npm clean-install of some hundred packages from an empty cache, outside and in a jail by MITM, from a registry
# in the test internet (tests/lib/registry.py).
. "$(dirname "$0")/lib.sh"
in_bench free "$@"
packages=${PACKAGES:-300}
mkdir -p "$T_NET/www/npm" home project
export HOME=$PWD/home npm_config_registry=https://registry.example/npm/ npm_config_update_notifier=false \
    npm_config_fund=false npm_config_audit=false npm_config_cafile=/etc/ssl/certs/ca-certificates.crt
cd project || exit
python3 "$BENCH_SRC/../tests/lib/registry.py" npm-many "$T_NET/www/npm" "$npm_config_registry" "$packages" >package-lock.json
node -p 'JSON.stringify(JSON.parse(fs.readFileSync("package-lock.json")).packages[""])' >package.json
policy=GET,HEAD:https://registry.example/npm/

install_with() { # HOW COMMAND...: "HOW npm MICROSECONDS"
    local how=$1 start
    rm -rf "$HOME/.npm" node_modules
    start=${EPOCHREALTIME/./}
    "${@:2}" npm clean-install >../npm.log 2>&1 </dev/null || die "$how: $(tail -n 5 ../npm.log)"
    echo "$how install $((${EPOCHREALTIME/./} - start))" >>../npm.results
    [[ $(find node_modules -maxdepth 1 -name 'many-*' | wc -l) == "$packages" ]] || die "$how: packages are missing"
}

for ((run = 0; run < RUNS; run++)); do
    install_with outside env
    install_with cijail-url cijail -q -e "$policy" --
done
{
    echo '### npm'
    echo
    echo "\`npm clean-install\` of $packages packages from an empty cache and a registry in the test internet: milliseconds, and"
    echo 'the share of the time outside.'
    table_note
    "$BENCH_SRC/table.py" build ../npm.results
} >"$BENCH_OUT/npm.md"
