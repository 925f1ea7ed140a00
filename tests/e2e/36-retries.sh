#!/usr/bin/env bash
# What a server has not done is asked for once more, and what it may have done is not.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
openssl ecparam -name prime256v1 -genkey -noout -out leaf.key
openssl req -new -key leaf.key -subj '/CN=leaf' | openssl x509 -req -CA "$T_NET/ca.pem" -CAkey "$T_NET/ca.key" -days 2 \
    -set_serial 77 -extfile <(echo 'subjectAltName=IP:192.0.2.10') -out leaf.pem 2>/dev/null
port=8443

# requests PROTOCOL "WHAT..." "METHOD...": these requests, one after the other, of one jail to a server that does that to
# them (retry-server.py); $out: their statuses, $served: what the server saw: CONNECTION WHAT.
requests() {
    local server
    port=$((port + 1))
    rm -f served # that of the server before
    # shellcheck disable=SC2086 # words
    python3 "$T_LIB/retry-server.py" 192.0.2.10 $port leaf.pem leaf.key "$1" $2 >served 2>server.err </dev/null &
    server=$!
    until_true grep -qs ready served || t_fail "no server: $(cat server.err)"
    run cijail -v -e "https://192.0.2.10:$port/" -- sh -c "for method in $3; do
        case \$method in POST) body='${body:--d body}' ;; *) body= ;; esac
        curl -s -o /dev/null -w '%{http_code} ' --http1.1 -X \$method \$body https://192.0.2.10:$port/; done"
    kill $server
    wait $server 2>/dev/null
    served=$(tail -n +2 served | cut -d ' ' -f 1-2 | tr '\n' ',')
    out=${out% }
}

for what in close reset; do
    t_case "HTTP/1.1: a kept connection that turns out to be dead, by $what"
    requests http/1.1 "ok $what ok" 'GET GET'
    t_eq "$out" '200 200'
    t_eq "$served" "1 ok,1 $what,2 ok,"
    requests http/1.1 "ok $what ok" 'GET OPTIONS'
    t_eq "$out" '200 200'
    t_eq "$served" "1 ok,1 $what,2 ok,"
    t_case "HTTP/1.1: no second POST, by $what"
    requests http/1.1 "ok $what ok" 'GET POST GET'
    t_eq "$out" '200 502 200'
    t_eq "$served" "1 ok,1 $what,2 ok,"
    requests http/1.1 "ok ok ok" 'GET POST GET' # the twin
    t_eq "$out" '200 200 200'
    t_eq "$served" "1 ok,1 ok,1 ok,"
    t_case "HTTP/1.1: not for ever, and not where the connection was a new one, by $what"
    requests http/1.1 "ok $what $what" 'GET GET'
    t_eq "$out" '200 502'
    t_eq "$served" "1 ok,1 $what,2 $what,"
    requests http/1.1 "$what" 'GET GET'
    t_eq "$out" '502 200'
    t_eq "$served" "1 $what,2 ok,"
done

t_case 'HTTP/2: what the server has not processed, it says, is asked for again, whatever it is'
for method in GET POST; do
    for what in goaway refuse; do
        requests h2 "ok $what ok" "GET $method"
        t_eq "$out" '200 200'
        t_match "$served" "^1 ok,1 $what,[12] ok,$"
        requests h2 "$what ok" "$method" # of a new connection, too
        t_eq "$out" 200
        t_match "$served" "^1 $what,[12] ok,$"
    done
done

t_case 'HTTP/2: a body that is longer than what is kept of it is not sent again; one that fits is, chunked or not'
head -c 8000 /dev/zero | tr '\0' a >fits
head -c 200000 /dev/zero | tr '\0' a >long
for what in goaway refuse; do
    body='--data-binary @fits' requests h2 "ok $what ok" 'GET POST GET'
    t_eq "$out" '200 200 200'
    body='-H Transfer-Encoding:chunked --data-binary @fits' requests h2 "ok $what ok" 'GET POST GET'
    t_eq "$out" '200 200 200'
    t_eq "$(tail -n +2 served | cut -d ' ' -f 3 | tr '\n' ,)" '0,8000,8000,0,'
    body='--data-binary @long' requests h2 "ok $what ok" 'GET POST GET'
    t_eq "$out" '200 502 200'
    t_match "$served" "^1 ok,1 $what,[12] ok,$"
done

t_case 'HTTP/2: once'
for what in goaway refuse; do
    requests h2 "ok $what $what ok" 'GET GET GET'
    t_eq "$out" '200 502 200'
    t_match "$served" "^1 ok,1 $what,[12] $what,[123] ok,$"
done

t_case 'HTTP/2: what it may have processed is not sent twice, unless that does no harm'
for what in processed broken close reset; do
    requests h2 "ok $what ok" 'GET POST GET'
    t_eq "$out" '200 502 200'
    t_match "$served" "^1 ok,1 $what,[12] ok,$"
    requests h2 "ok $what ok" 'GET GET'
    t_eq "$out" '200 200'
    t_match "$served" "^1 ok,1 $what,[12] ok,$"
done
t_done
