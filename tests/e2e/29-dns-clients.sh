#!/usr/bin/env bash
# Resolvers of others in the jail: dig, glibc, musl, c-ares (Node), Go's own, Java's.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"

# Each prints the addresses of its argument, one a line, or "failed".
cat >resolve.c <<'END'
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    struct addrinfo *list, hints = {.ai_socktype = SOCK_STREAM};
    char text[64];
    if (argc != 2 || getaddrinfo(argv[1], NULL, &hints, &list) != 0)
        return puts("failed"), 0;
    for (struct addrinfo *a = list; a; a = a->ai_next)
        if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) == 0)
            puts(text);
    return 0;
}
END
cat >resolve.js <<'END'
const dns = require('dns').promises, name = process.argv[2];
Promise.all([dns.resolve4(name), dns.resolve6(name)]).then((l) => console.log(l.flat().join('\n')), () => console.log('failed'));
END
cat >resolve.go <<'END'
package main

import (
	"context"
	"fmt"
	"net"
	"os"
)

func main() {
	r := &net.Resolver{PreferGo: true}
	addresses, err := r.LookupHost(context.Background(), os.Args[1])
	if err != nil {
		fmt.Println("failed")
	}
	for _, a := range addresses {
		fmt.Println(a)
	}
}
END
cat >Resolve.java <<'END'
public class Resolve {
    public static void main(String[] args) {
        try {
            for (java.net.InetAddress a : java.net.InetAddress.getAllByName(args[0])) System.out.println(a.getHostAddress());
        } catch (java.net.UnknownHostException e) {
            System.out.println("failed");
        }
    }
}
END
expect_both() { # COMMAND...: resolves an allowed name, and fails for another at once and unseen
    T_LIMIT=120 run cijail -e registry.example -- "$@" registry.example
    t_match "$out" '^198\.51\.100\.10$'
    t_match "$out" '^2001:(0?db8):(0010|10):(:|0:0:0:0:)10$'
    wire_start
    T_LIMIT=120 run cijail -e registry.example -- "$@" secret.attacker.test
    wire_stop
    t_eq "$out" failed
    t_eq "$WIRE" ''
}

t_case 'glibc'
cc -o glibc resolve.c
expect_both ./glibc
t_case 'musl'
if need musl-gcc command -v musl-gcc; then
    musl-gcc -static -o musl resolve.c
    expect_both ./musl
fi
t_case 'c-ares, by Node'
expect_both node resolve.js
t_case 'Go'
if need go command -v go; then
    export GOCACHE=$T_TMP/go-cache GOPATH=$T_TMP/go GO111MODULE=off CGO_ENABLED=0
    go build -o go-resolve resolve.go
    expect_both ./go-resolve
fi
t_case 'Java'
if need javac command -v javac; then
    javac Resolve.java
    expect_both java -Xshare:auto -Xmx64m Resolve
fi
t_case 'search domains and ndots of the host'
if [[ -w /etc/resolv.conf ]]; then
    printf 'nameserver 192.0.2.53\nsearch wild.example\noptions ndots:2\n' >"$(readlink -f /etc/resolv.conf)"
    run cijail -e '*.wild.example' -- ./glibc short
    t_match "$out" '^198\.51\.100\.10$'
    run cijail -e '*.wild.example' -- dig +search +short a.b
    t_match "$out" '^198\.51\.100\.10$'
    run cijail -e registry.example -- ./glibc short
    t_eq "$out" failed

    # As in a pod: every name is first tried with each of the search domains.
    printf 'nameserver 192.0.2.53\nsearch ns.svc.cluster.test svc.cluster.test\noptions ndots:5\n' \
        >"$(readlink -f /etc/resolv.conf)"
    for client in ./glibc ./musl ./go-resolve 'dig +search +short'; do
        [[ $client == *' '* || -e $client ]] || continue
        t_case "search domains of the host: an allowed name is no denial with them, and nobody is asked for it: $client"
        wire_start
        run cijail -e registry.example --fail-on-deny -- $client registry.example
        wire_stop
        t_eq "$status" 0
        t_match "$out" '^198\.51\.100\.10$'
        t_no_match "$WIRE" cluster
        t_match "$WIRE" 'registry\.example'
        # The twin: with an ending that is no search domain, or before a name that is not allowed, it is a denial.
        run cijail -e registry.example --fail-on-deny -- $client registry.example.svc.other.test.
        t_eq "$status" 98
        t_no_match "$out" '^198'
        run cijail -e registry.example --fail-on-deny -- $client leak.example.
        t_eq "$status" 98
    done
    t_case 'search domains of the host: the log says why a completed name was not asked for'
    run cijail -v -e registry.example -- ./glibc registry.example
    t_match "$err" 'resolve registry\.example\.ns\.svc\.cluster\.test A: not asked for: completed with a search domain'
    t_case 'search domains of the host: a short name is denied as it is completed, which says what would allow it'
    run cijail -e registry --fail-on-deny -- ./glibc registry
    t_eq "$status" 98
    t_match "$err" 'registry\.ns\.svc\.cluster\.test'
    t_case 'search domains of the host: what is learned has the name alone'
    run cijail --dry-run --learn learned -- ./glibc registry.example
    t_match "$(<learned)" '^registry\.example'
    t_no_match "$(<learned)" cluster
fi
t_case 'a denied query of musl, which takes no error but NXDOMAIN for an answer'
run cijail -e registry.example -- sh -c 'dig +noedns +adflag secret.test; dig +noedns +noadflag secret.test; dig secret.test; dig +noedns +adflag +short registry.example'
t_count 1 "$out" 'status: NXDOMAIN'
t_count 2 "$out" 'status: REFUSED'
t_match "$out" '^198\.51\.100\.10$'
t_match "$err" '1 allowed, 3 denied'
t_done
