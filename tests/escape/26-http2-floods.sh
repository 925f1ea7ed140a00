#!/usr/bin/env bash
# HTTP/2: floods end their own connection, and nothing that HTTP/1.1 could not say gets past the judge.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
export CIJAIL_ENDPOINTS='https://registry.example/ https://registry.example:8443/'
attack() { run cijail -v -- python3 "$T_SRC/tests/escape/h2.py" registry.example "$@"; }

t_case 'frames that only cost end the connection, and that alone'
attack 443 ping settings priority window empty-data unknown continuation rapid-reset rapid-reset-no-error refused \
    made-resets tiny-window good
t_count 10 "$out" ': goaway 11$' # ENHANCE_YOUR_CALM
t_count 2 "$out" '^(continuation|made-resets): (goaway [0-9]+|closed)$'
t_match "$out" '^good: status 200$'

t_case 'heads are bounded, and streams are'
attack 443 bomb big-head too-many good
t_match "$out" '^bomb: status 431'
t_match "$out" '^big-head: status 431'
t_match "$out" '^too-many: (reset 7|goaway 1)$' # REFUSED_STREAM
t_match "$out" '^good: status 200$'

t_case 'what is no request of HTTP/2, or is for another host, reaches no server'
modes=(crlf lf nul upper colon space-name connection te-chunked te upgrade two-paths late-pseudo no-path space-path
    crlf-path bad-method authority host scheme connect connect-length override two-lengths length-short length-long)
for port in 443 8443; do
    served=$(wc -l <"$T_NET/nginx/access.log")
    attack "$port" "${modes[@]}"
    t_count ${#modes[@]} "$out" ': '
    t_count 0 "$out" ': (status 200|nothing|closed)$'
    t_no_match "$err" ' cijail: allow [0-9]'
    tail -n +$((served + 1)) "$T_NET/nginx/access.log" >new
    t_no_match "$(cat new)" '(smuggled|" 200 )'
    attack "$port" good same-host te-trailers length
    t_count 4 "$out" ': status 200$'
done

t_done
