#!/usr/bin/env bash
# Programs that fetch and copy: curl, wget, wget2, aria2, git, ssh, rsync.
# timeout: 300
export T_SERVERS=shell
. "$(dirname "$0")/../lib/lib.sh"
. "$T_LIB/clients.sh"
in_test_internet "$@"
export HOME=$T_TMP GIT_CONFIG_NOSYSTEM=1
of_file() { cat got 2>/dev/null; }

if client 'curl' curl --version; then
    both_ways curl -fsS $site/pkg/lodash
fi

if client 'wget' wget --version; then
    both_ways wget -q -O - $site/pkg/lodash
fi

if client 'wget2' wget2 --version; then
    denied_status='*' # it takes a 403 for an answer
    if [[ $version == 1.* ]]; then
        one_way transparent wget2 -q -O - $site/pkg/lodash
        t_case "$client, variables: it speaks TLS to a proxy that is named by an http URL, and is told so"
        run_in variables "$allow" wget2 -q -O - $site/pkg/lodash
        t_status 5
        t_eq "$(result)" ''
        t_denials 1
        t_under 20000
        record variables 'no: begins TLS with the proxy'
    else
        both_ways wget2 -q -O - $site/pkg/lodash
    fi
fi

if client 'aria2' aria2c --version; then
    result() { of_file; }
    fresh() { rm -f got; }
    both_ways aria2c -q -d . -o got $site/pkg/lodash
fi

if client 'git, by https' git --version; then
    allow=https://git.example/git/ deny=https://git.example/other/ want='hello from git'
    result() { cat clone/README 2>/dev/null; }
    fresh() { rm -rf clone; }
    both_ways git clone -q https://git.example/git/project.git clone
fi

# The last two have no proxy, and their server is the one of the talk.
shell="ssh -F none -i $T_NET/ssh/client -o UserKnownHostsFile=$T_NET/ssh/known_hosts -o BatchMode=yes"
if client 'ssh' ssh -V; then
    by=itself allow=staex.io:22 deny='staex.io staex.io:23' want=hello
    both_ways $shell "$(id -un)@staex.io" echo hello
fi

if client 'rsync, over ssh' rsync --version; then
    by=itself allow=staex.io:22 deny='staex.io staex.io:23'
    result() { of_file; }
    fresh() { rm -f got; }
    both_ways rsync -e "$shell" "$(id -un)@staex.io:$T_NET/www/pkg/lodash" got
fi

t_done
