# clients.sh: the matrix of clients. A test file of tests/clients, after lib.sh:
#
#     . "$T_LIB/clients.sh"
#     in_test_internet "$@"
#     if client 'curl' curl --version; then
#         both_ways curl -fsS $site/pkg/lodash
#     fi
#
# Each client is run in two ways: "variables", with all that cijail sets for it, and "transparent", without any proxy named
# and without the variables for CA certificates, but for those in $needs. Each time it must get $want where $allow is
# the policy, and must fail where $deny is. What was seen is a line of $BUILD/tests/clients/FILE.tsv, of which table.py
# makes the table in README.md. The name of a client is written in single quotes, for table.py to find. With a pattern in
# CLIENTS the others are left out.
# shellcheck shell=bash disable=SC2034,SC2154 # variables for the test files, and of lib.sh
site=https://registry.example
unset CIJAIL_ENDPOINTS JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS
results=$BUILD/tests/clients/$(basename "$0" .sh).tsv
mkdir -p "${results%/*}" 2>/dev/null && : 2>/dev/null >>"$results" || results=/dev/null # the build may be another user's
[[ -n ${CLIENTS:-} ]] || : >"$results"

bundle=/etc/ssl/certs/ca-certificates.crt
ca_variables=() # that cijail sets to it

# npm_packages NAME...: in the folder $NPM, from the registry that npm is configured with on this machine. To be called
# before in_test_internet, whose host has the test internet alone.
npm_packages() {
    local status=0
    [[ -z ${T_NET:-} ]] || return 0
    NPM=$(mktemp -d)
    export NPM T_KEEP=$NPM
    trap 'rm -rf "$NPM"' EXIT
    trap 'exit 143' TERM INT HUP
    (cd "$NPM" && timeout 100 npm install --ignore-scripts --no-audit --no-fund --no-update-notifier "$@") \
        >"$NPM/npm.log" 2>&1 </dev/null || sed 's/^/# npm: /' "$NPM/npm.log"
    "$T_SRC/tests/net/up" bash "$0" || status=$?
    exit "$status"
}

# client NAME COMMAND...: what follows is about that client; COMMAND prints its version. False if it is not there.
client() {
    client=$1
    # shellcheck disable=SC2053 # a pattern
    [[ $client == ${CLIENTS:-*} ]] || return
    version=$("${@:2}" 2>&1 </dev/null) && version=$(grep -oE '[0-9]+(\.[0-9]+)+|^[0-9]+' <<<"$version" | head -n 1)
    within=()         # what cijail is run by
    needs=''          # which of the variables it cannot do without
    remark=''         # of the table, in the place of $needs
    by=proxy          # how it connects in the way "variables": proxy, or itself
    denied_status='[!0]*' # a pattern: its exit status when it was denied
    allow=$site/pkg/ deny=$site/other/ want='a package'
    result() { echo "$out"; }
    fresh() { :; } # takes away what it has fetched
    [[ -n $version ]] && return
    t_case "$client"
    need "$client" false
}

# run_in WAY POLICY COMMAND...
run_in() {
    local way=$1 policy=$2 without=() name
    shift 2
    ((${#ca_variables[@]})) || mapfile -t ca_variables < <(cijail -e $site/ -- env | sed -n "s#=$bundle\$##p")
    if [[ $way == transparent ]]; then
        # shellcheck disable=SC2206 # words
        without=($unset_proxies -u NODE_USE_ENV_PROXY -u JAVA_TOOL_OPTIONS)
        for name in "${ca_variables[@]}"; do
            [[ " $needs " == *" $name "* ]] || without+=(-u "$name")
        done
    fi
    fresh
    T_LIMIT=${T_LIMIT:-120} run "${within[@]}" cijail -v -e "$policy" -- "${without[@]}" "$@"
}

# How it was connected: who goes by the proxy looks up nothing himself.
how() { if t_has "$err" 'allow resolve '; then echo itself; else echo proxy; fi; }

record() { # WAY OUTCOME: a line of the results, if the case went well
    ((t_bad)) || printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$client" "$version" "$1" "$2" "${remark:-${needs:--}}" "${0##*/}" >>"$results"
}

is_like() {
    # shellcheck disable=SC2053 # a pattern
    [[ $1 == $2 ]]
}

is_denied() { # the last run was, and its client could tell
    t_assert 'it has what it was denied' test "$(result)" != "$want"
    t_assert "exit status $status is not $denied_status" is_like "$status" "$denied_status"
    t_match "$err" ' cijail: deny '
    t_no_match "$err" ' cijail: allow 200 '
}

one_way() { # WAY COMMAND...
    local way=$1 expected=$by
    shift
    t_case "$client, $way: allowed and denied"
    run_in "$way" "$allow" "$@"
    t_eq "$(result)" "$want"
    t_denials 0
    [[ $way == variables ]] || expected=itself
    t_eq "$(how)" "$expected"
    run_in "$way" "$deny" "$@"
    is_denied
    record "$way" "$expected"
}

both_ways() { # COMMAND...
    one_way variables "$@"
    one_way transparent "$@"
    [[ -n $needs ]] || return 0
    t_case "$client: not without $needs"
    needs='' run_in transparent "$allow" "$@"
    t_assert "it works without $needs" test "$(result)" != "$want"
}
