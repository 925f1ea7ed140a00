#!/usr/bin/env bash
# cijailctl check, explain and diff: what they say of a policy is what the jail does with it.
. "$(dirname "$0")/../lib/lib.sh"
in_real_network
ctl=$BUILD/ctl/cijailctl

# jq_py JSON EXPRESSION: of Python, of d.
jq_py() { python3 -c 'import json, sys; d = json.loads(sys.argv[1]); print(eval(sys.argv[2]))' "$1" "$2"; }

# says LEVEL CODE WORD: check finds that of the word; says_not: it does not, though it reads the word.
says() {
    printf '%s\n' "$3" >p
    run "$ctl" check ./p
    t_match "$out" "^\./p:1: $1: .* \[$2\]$"
}
says_not() {
    printf '%s\n' "$2" >p
    run "$ctl" check ./p
    t_no_match "$out" "\[$1\]"
    t_no_match "$out" ' error: '
}

t_case 'check: nothing to say of a narrow policy'
printf 'GET,HEAD:https://registry.example/npm/\nPOST:https://coverage.example/api/upload/ # ours\n' >p
run "$ctl" check ./p
t_status 0
t_eq "$out" 'nothing to say of it'
t_eq "$err" ''

t_case 'check: every error, with its line and word, and status 2'
printf '# a comment\nhttps://h.example/ bad..name\n\nftp://h.example/ ok.example\nh.example:53\n' >p
run "$ctl" check ./p
t_status 2
t_match "$out" "^\./p:2: error: 'bad\.\.name': the name has an empty label; expected "
t_match "$out" "^\./p:4: error: 'ftp://h\.example/': only http and https"
t_match "$out" "^\./p:5: error: 'h\.example:53': a DNS server is named by its address"
t_match "$out" '^3 errors, 0 warnings, 1 note$'

t_case 'check: errors come first, whatever their number is among the notes, of which few are shown'
for ((i = 0; i < 100001; i++)); do echo "https://h$i.example/"; done >many
T_LIMIT=120 run "$ctl" check ./many
t_status 2
t_match "$(head -n 1 <<<"$out")" '^\./many:100001: error: .*100000'
t_count 20 "$out" '^\./many:.*\[methods\]$'
t_match "$out" '^note: there are 99980 more of these \[methods\]$'
t_match "$out" '^1 error, 0 warnings, 100001 notes$'
printf 'bad..name\n' >last
printf 'https://h.example/a\n' >first
run "$ctl" check ./first ./last
t_match "$(head -n 1 <<<"$out")" '^\./last:1: error: '
t_match "$out" '^1 error, 1 warning, 1 note$'
rm many last first

t_case 'check: its errors are those with which cijail refuses the policy'
for word in bad..name ftp://h.example/ h.example:53 127.0.0.1:53 'get:https://h.example/'; do
    printf '%s\n' "$word" >p
    run cijail -p ./p true
    t_status 125
    reason=${err#*"'$word': "}
    run "$ctl" check ./p
    t_status 2
    t_match "$out" "^\./p:1: error: '[^']*': "
    t_true test "${out#*"'$word': $reason"}" != "$out"
done

t_case 'check: a prefix without a final slash'
says warning no-final-slash https://h.example/a
says note no-final-slash GET:https://h.example/a/b.tgz
says warning no-final-slash https://h.example/v1.2
says_not no-final-slash https://h.example/a/
says_not no-final-slash https://h.example

t_case 'check: a wildcard over a public suffix'
for word in '*.co.uk' '*.github.io' 'https://*.github.io/' '*' '*.com' '*x.org' '*.github.io:22'; do
    says warning public-suffix "$word"
done
for word in '*.example.co.uk' '*.example.github.io' 'a*.example.com' example.com; do
    says_not public-suffix "$word"
done

t_case 'check: endpoints by which anyone uploads'
says warning upload https://api.github.com/
says warning upload POST:https://api.github.com/
says warning upload github.com:22
says warning dns-over-https GET:https://dns.google/
says_not upload GET,HEAD:https://api.github.com/
says note methods https://h.example/
says_not methods GET:https://h.example/

t_case 'check: addresses and sockets'
says warning dns-server 192.0.2.53:53
says_not dns-server 192.0.2.53:54
says warning wide-network 128.0.0.0/2:443
for word in 0.0.0.0/0:443 '[::]/0:22' 0.0.0.0/1:443 10.0.0.0/7:443 8.0.0.0/8:443 '[2001:db8::]/32:22' '[2002::]/16:443' '[f000::]/4:22' \
    '[64:ff9b::]/96:443' '[64:ff9b::]/64:443' '[64:ff9b::800:0]/104:443'; do
    says warning wide-network "$word"
done
for word in 192.0.2.0/24:443 10.0.0.0/8:443 172.16.0.0/12:22 100.64.0.0/10:22 '[fd00::]/8:443' '[fd00:ec2::]/32:80' '[fe80::]/10:443' 224.0.0.0/4:5353 \
    '[64:ff9b::a00:0]/104:443' '[64:ff9b::c000:200]/120:443' '[2001:db8::]/48:443'; do
    says_not wide-network "$word"
done
for word in 169.254.169.254:80 169.254.0.0/16:80 168.63.129.16:80 '[fd00:ec2::254]:80' '[fd00:ec2::]/48:80' \
    http://169.254.169.254/ 'GET:http://[fd00:ec2::254]/latest/' http://168.63.129.16:32526/ \
    'http://[::ffff:169.254.169.254]/' 'http://[64:ff9b::a9fe:a9fe]/' 'http://[64:ff9b:1::a9fe:a9fe]/' \
    '[64:ff9b::a9fe:a9fe]:80' '[64:ff9b::a9fe:0]/112:80' '[64:ff9b:1::a9fe:a9fe]:80'; do
    says warning metadata "$word"
done
for word in 168.63.0.0/16:80 10.0.0.0/8:80 http://192.0.2.1/ 0.0.0.0/0:80 '[64:ff9b::c000:201]:80' '[64:ff9b::]/96:80'; do says_not metadata "$word"; done # the jail does not reach it by these
for word in https://1.1.1.1/dns-query/ GET:https://8.8.8.8/ 'https://[2606:4700:4700::1111]/dns-query/' 9.9.9.9:443 8.8.8.0/24:853; do
    says warning dns-over-https "$word"
done
for word in https://192.0.2.1/dns-query/ 9.9.9.9:22 http://1.1.1.1/; do says_not dns-over-https "$word"; done
says warning literal 'https://h.example/*/releases/'
says_not literal 'https://*.h.example/releases/'
says warning engine-socket /run/docker.sock
says_not engine-socket /run/build.sock
says note loopback 127.0.0.1:5432

t_case 'check: shadowed words'
printf 'https://h.example/\nGET:https://h.example/a/\nh.example\nother.example\n' >p
run "$ctl" check ./p
t_status 1
t_match "$out" "^\./p:2: warning: .* allows nothing that 'https://h\.example/' \(\./p:1\) does not allow \[shadowed\]"
t_match "$out" "^\./p:3: warning: .*\[shadowed\]"
t_no_match "$out" '^\./p:[14]: warning'
printf 'GET:https://h.example/a/\nhttps://h.example/\n' >p
run "$ctl" check ./p
t_match "$out" "^\./p:1: warning: .*\[shadowed\]"
t_no_match "$out" '^\./p:2: warning'

t_case 'check: of equal words the first stays'
printf 'a.example\na.example\n' >p
run "$ctl" check ./p
t_count 1 "$out" shadowed
t_match "$out" '^\./p:2: '

t_case 'check --json, standard input, two files'
printf 'https://h.example/a\n' >p
printf 'bad..name\n' >q
run "$ctl" check --json ./p ./q
t_status 2
t_eq "$(jq_py "$out" '[(f["source"], f["line"], f["level"], f["code"]) for f in d["findings"]]')" \
    "[('./p', 1, 'warning', 'no-final-slash'), ('./p', 1, 'note', 'methods'), ('./q', 1, 'error', 'syntax')]"
t_eq "$(jq_py "$out" '(d["errors"], d["warnings"], d["notes"])')" '(1, 1, 1)'
T_STDIN=p run "$ctl" check -
t_match "$out" "^-:1: warning: "

t_case 'check: no byte of a policy drives a terminal'
printf '\033[31m..x\nhttps://h.example/\377\n' >p
run "$ctl" check ./p
t_status 2
t_false grep -q $'\033' <<<"$out"
run "$ctl" check --json ./p
t_false grep -q $'\033' <<<"$out"
t_eq "$(jq_py "$out" 'd["errors"]')" 1
printf 'https://h.example/\303\251\n' >p # which the text repeats
run "$ctl" check ./p
t_false grep -qP '[^\n -~]' <<<"$out"
t_match "$out" 'GET,HEAD:https://h\.example/\\xc3\\xa9 \[methods\]$'

t_case 'explain: the word that allows it'
printf 'GET,HEAD:https://h.example/a/\nhttps://h.example/b/\n*.z.example\nd.example:22\n192.0.2.0/24:22\n' >p
printf '198.51.100.53:53\n/run/x.sock\n@abs\n127.0.0.1:5432\n' >>p
while read -r line args; do
    # shellcheck disable=SC2086 # words
    run "$ctl" explain $args
    t_status 0
    t_match "$out" "^allowed by '.*' \(\./p:$line\)$"
done <<'END2'
1 ./p https://h.example/a/x
1 ./p https://H.example:443/b/../a/x
1 -m HEAD ./p https://h.example/a/x
2 -m PUT ./p https://h.example/b/x
3 ./p x.y.z.example
1 ./p h.example
4 ./p d.example:22
5 ./p 192.0.2.77:22
6 ./p 198.51.100.53:53
7 ./p /run/x.sock
8 ./p @abs
9 ./p 127.0.0.1:5432
END2

t_case 'explain, check: where a name or an address with its port lets all through, the URL is not judged, as in a jail'
printf 'GET:https://h.example/a/\nh.example:443\n192.0.2.0/24:8443\nh.example:80\nGET:https://x.example/\n[::1]:8080\n' >q
while read -r line args; do
    # shellcheck disable=SC2086 # words
    run "$ctl" explain $args
    t_status 0
    t_match "$out" "^allowed by '.*' \(\./q:$line\), unread$"
done <<'END2'
2 -m PUT ./q https://h.example/other
2 ./q https://h.example/a/x
3 ./q https://192.0.2.7:8443/x
4 -m PUT ./q http://h.example/x
6 ./q http://[::1]:8080/
END2
printf 'GET:http://h.example/a/ h.example:80\n' >q2 # of plain http the proxy names the first
run "$ctl" explain ./q2 http://h.example/a/x
t_match "$out" "^allowed by 'GET:http://h\.example/a/' \(\./q2:1\)$"
for no in https://192.0.3.7:8443/ https://h.example:444/ http://192.0.2.7/; do
    run "$ctl" explain ./q "$no"
    t_status 1
done
t_match "$out" '^denied: no word'
run "$ctl" explain ./q https://x.example/y
t_match "$out" '^allowed by .*:5\)$'
run "$ctl" explain --json ./q https://h.example/
t_eq "$(jq_py "$out" '(d["decision"], d["word"], d["unread"])')" "('allow', 'h.example:443', True)"
run cijail --fail-on-deny -p ./q -- curl -sS -m 10 -o /dev/null -X PUT https://h.example/other # it does not resolve
t_no_match "$err" ' deny '
run cijail -e GET:https://h.example/a/ -- curl -sS -m 10 -o /dev/null -X PUT https://h.example/other # the twin
t_match "$err" ' deny '
run "$ctl" check ./q
t_match "$out" "^\./q:1: warning: .* 'h\.example:443' \(\./q:2\) lets all through .* \[unread\]$"
t_count 1 "$out" unread

t_case 'explain: what is denied, which words come near, and which would allow it'
while IFS='|' read -r args near would; do
    # shellcheck disable=SC2086 # words
    run "$ctl" explain $args
    t_status 1
    t_match "$out" '^denied: no word'
    [[ -z $near ]] || t_match "$out" "^  not by .*: $near$"
    t_true grep -qxF "this word would allow it: $would" <<<"$out"
done <<'END2'
-m PUT ./p https://h.example/a/x|another method|PUT:https://h.example/a/
./p https://h.example/c/x?y=/z|another path|GET,HEAD:https://h.example/c/
./p http://h.example/a/|another scheme|GET,HEAD:http://h.example/a/
./p https://h.example:8443/a/|another port|GET,HEAD:https://h.example:8443/a/
./p z.example||z.example
./p d.example:23|another port|d.example:23
./p 192.0.3.1:22||192.0.3.1:22
./p [2001:db8::1]:22||[2001:db8::1]:22
./p /run/y.sock||/run/y.sock
./p @other||@other
./p 127.0.0.1:5433||127.0.0.1:5433
END2

t_case 'explain: the word that it names does allow it'
run "$ctl" explain -m PUT ./p https://h.example/a/x
sed -n 's/^this word would allow it: //p' <<<"$out" >>p
run "$ctl" explain -m PUT ./p https://h.example/a/x
t_status 0

t_case 'explain: errors'
run "$ctl" explain ./p 'https://h.example/%00'
t_status 2
t_match "$err" "^cijailctl: explain: 'https://h.example/%00': .*NUL"
run "$ctl" explain ./p '*.z.example'
t_status 2
run "$ctl" explain ./missing h.example
t_status 2
t_match "$err" 'cijailctl: explain: ./missing: cannot be read: No such file'
run "$ctl" explain ./p
t_status 2
t_match "$err" '^cijailctl: explain: expected a policy, or -p PRESET, and what is asked'
t_match "$err" '^usage: cijailctl explain'

t_case 'explain --json'
run "$ctl" explain --json ./p https://h.example/b/
t_eq "$(jq_py "$out" '(d["decision"], d["word"], d["line"])')" "('allow', 'https://h.example/b/', 2)"
run "$ctl" explain --json ./p https://x.example/b/
t_eq "$(jq_py "$out" '(d["decision"], d["would_allow"])')" "('deny', 'GET,HEAD:https://x.example/b/')"

run "$ctl" explain --json -m POST ./p https://h.example/a/x
t_eq "$(jq_py "$out" '[(n["word"], n["source"], n["line"], n["why"]) for n in d["near"]][:2]')" \
    "[('GET,HEAD:https://h.example/a/', './p', 1, 'another method'), ('https://h.example/b/', './p', 2, 'another path')]"
mkdir -p d
printf 'GET:https://h.example/z/\n' >d/other
run "$ctl" explain -p ./d/other -p ./q https://h.example:444/
t_match "$out" "^  not by 'GET:https://h\.example/z/' \(\./d/other:1\): another port$"
t_match "$out" "^  not by 'h\.example:443' \(\./q:2\): another port$"

t_case 'diff: what is allowed, not how it is written'
printf 'https://h.example/\na.example # one\n' >old
printf '# other words\na.example\nhttps://H.example:443\n' >new
run "$ctl" diff ./old ./new
t_status 0
t_eq "$out" ''
printf 'GET:https://h.example/\na.example\nb.example\n' >new
run "$ctl" diff ./old ./new
t_status 1
t_eq "$out" $'- https://h.example/\n+ b.example'
run "$ctl" diff --json ./old ./new
t_eq "$(jq_py "$out" '([x["word"] for x in d["removed"]], [x["word"] for x in d["added"]])')" \
    "(['https://h.example/'], ['b.example'])"

t_case 'what cannot be written is an error, whatever was found'
printf '{"time":"2027-04-04T15:28:22Z","decision":"deny","kind":"connect","address":"192.0.2.1","port":22,"protocol":"tcp"}\n' >log
printf 'GET:https://h.example/a/ GET:https://h.example/b\n' >old
for ((i = 0; i < 2000; i++)); do printf 'https://h%s.example/\n' $i; done >many
for args in 'check ./p' 'check --json ./many' 'explain ./p https://h.example/b/' 'explain --json ./p d.example:23' 'diff ./p ./old' \
    'diff --json ./p ./old' show 'show pip' 'show --json pip' doctor 'report ./log' --help --version; do
    # shellcheck disable=SC2086 # words
    run bash -c '"$@" >/dev/full' - "$ctl" $args
    t_status 2
    t_match "$err" '^cijailctl: .*No space left on device'
done

t_case 'the command line'
run "$ctl"
t_status 2
t_match "$err" '^usage: cijailctl'
while IFS='|' read -r args says; do
    # shellcheck disable=SC2086 # words
    run "$ctl" $args
    t_status 2
    t_eq "$out" ''
    t_match "$err" "^cijailctl: ${args%% *}: $says$"
    t_match "$err" "^usage: cijailctl ${args%% *} "
done <<'END2'
check --foo ./p|no such option: --foo
check -xp ./p|no such option: -x
check -p|-p takes an argument, and has none
check --json|no policy; expected a file, or -p PRESET
explain --method|--method takes an argument, and has none
explain -z ./p a.example|no such option: -z
diff ./p|expected two policies
show --foo|no such option: --foo
show --json --foo|no such option: --foo
doctor --foo|it takes nothing but --json
report -f xml ./log|-f xml: no form of reports; expected text, markdown, html or json
report -o x.pdf ./log|-o x.pdf: no form of reports; expected a name that ends in \.md, \.html, \.json or \.txt, or -f
report|no log; expected a file, or - for standard input
podman ps|expected podman's run
END2
for verb in check explain diff show doctor report podman; do
    run "$ctl" $verb --help
    t_status 0
    t_match "$out" "^usage: cijailctl $verb "
    t_eq "$err" ''
done
run "$ctl" check --json --help
t_status 0
run "$ctl" nope
t_status 2
t_match "$err" '^cijailctl: nope: no such verb'
run "$ctl" --help
t_status 0
for verb in check explain diff; do t_match "$out" "^  $verb "; done
run "$ctl" --version
t_match "$out" '^cijailctl [0-9]'
t_done
