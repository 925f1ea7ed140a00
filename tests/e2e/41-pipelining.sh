#!/usr/bin/env bash
# Requests that a client sends before it has the answers to earlier ones (RFC 9112, 9.3.2).
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
port=8090

# pipelined "TOGETHER LAST HOW" REQUEST...: of a jail that may GET and HEAD all but /denied/; $out: the answers, $served:
# what the server saw: "CONNECTION METHOD PATH," of each request (pipeline-server.py, pipeline-client.py).
pipelined() {
    local server
    port=$((port + 1))
    # shellcheck disable=SC2086 # words
    python3 "$T_LIB/pipeline-server.py" 192.0.2.10 $port $1 >served 2>server.err </dev/null &
    server=$!
    rm -f served.ready
    until_true grep -qs ready served || t_fail "no server: $(cat server.err)"
    shift
    # shellcheck disable=SC2086 # words
    run cijail -v -e "GET,HEAD:http://192.0.2.10:$port/a" -e "http://192.0.2.10:$port/long" -e "http://192.0.2.10:$port/post" \
        -- ${client:-} python3 "$T_LIB/pipeline-client.py" "http://192.0.2.10:$port" "$@"
    kill $server
    wait $server 2>/dev/null
    served=$(grep -v 'ready\|ended' served | tr '\n' ',')
}

t_case 'requests behind the first are sent without waiting for answers, and answered in their order'
pipelined '3 0 -' /a1 /a2 /a3 /a4
t_eq "$out" $'200 /a1 \n200 /a2 \n200 /a3 \n200 /a4 '
t_eq "$served" '1 GET /a1,1 GET /a2,1 GET /a3,1 GET /a4,'
t_count 4 "$err" ' allow 200 GET '

t_case 'the same, of a client that was intercepted'
client='env -u http_proxy' pipelined '3 0 -' /a1 /a2 /a3 /a4
t_eq "$served" '1 GET /a1,1 GET /a2,1 GET /a3,1 GET /a4,'
t_eq "$out" $'200 /a1 \n200 /a2 \n200 /a3 \n200 /a4 '

t_case 'HEAD has no body, and long bodies do not get mixed up'
pipelined '4 0 -' /a1 HEAD/a2 /long HEAD/a3 /a4
t_eq "$out" $'200 /a1 \n200  \n200 /long/long/long/long 25000\n200  \n200 /a4 '

t_case 'what is denied waits for its turn, and so does what is behind it'
pipelined '2 0 -' /a1 /a2 /a3 /denied /a4 /denied2 /a5 /a6
t_eq "$out" $'200 /a1 \n200 /a2 \n200 /a3 \n403 cijail: this request \n200 /a4 \n403 cijail: this request \n200 /a5 \n200 /a6 '
t_no_match "$served" denied
t_match "$served" '^1 GET /a1,1 GET /a2,1 GET /a3,'
t_count 2 "$err" ' deny - GET '

t_case 'a POST is not sent before its turn'
pipelined '1 0 -' /a1 /a2 POST/post /a3
t_eq "$served" '1 GET /a1,1 GET /a2,1 POST /post,1 GET /a3,'
pipelined '2 0 -' /a1 /a2 POST/post /a3
t_match "$served" '^1 GET /a1,1 GET /a2,1 waited,1 POST /post,1 waited,1 GET /a3,'

for how in close silent reset; do
    t_case "the server ends the connection ($how) in between: the rest is asked for once more"
    pipelined "3 2 $how" /a1 /a2 /a3 /a4 /a5 /alone
    t_eq "$out" $'200 /a1 \n200 /a2 \n200 /a3 \n200 /a4 \n200 /a5 \n200 /alone '
    t_match "$served" '^1 GET /a1,1 GET /a2,1 GET /a3,.*[2-9] GET /a3,'
done
t_case 'the server ends it in the middle of a body: so does the client'\''s connection, and nothing is asked for again'
pipelined '3 2 middle' /a1 /a2 /a3 /a4 /a5
t_eq "$out" $'200 /a1 \ncut'
t_no_match "$served" '2 GET'
t_match "$err" ' allow - GET .*/a3: the connection ended before its response'

t_case 'a flood of them: as many as there is room for at a time, all are answered, and each is in the log'
mapfile -t many < <(printf '/a%s\n' {1..500})
pipelined '1 0 -' "${many[@]}"
t_count 500 "$out" '^200 /a'
t_eq "$(cut -d ' ' -f 2 <<<"$out" | sort -u | wc -l)" 500
t_match "$err" '500 allowed, 0 denied'
t_done
