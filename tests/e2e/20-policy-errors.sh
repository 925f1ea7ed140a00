#!/usr/bin/env bash
# A policy with an error: cijail says where, which word, why and what is expected, exits with 125 and runs nothing,
# from whichever source it comes; and the same without the error runs. tests/unit/test_policy_errors.c has the message
# of every error of the language.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"

url='[METHOD,...:]https://HOST[:PORT]/PREFIX'
any='a URL (https://HOST[:PORT]/PREFIX), NAME, NAME!private, NAME:PORT, ADDRESS:PORT, ADDRESS/LEN:PORT, [ADDRESS6]:PORT,'
any+=' /path/to/socket, @abstract or [netlink]'

# refused MESSAGE CIJAIL-ARGUMENT...: this is all that is said, and nothing is run. CIJAIL_ENDPOINTS is $endpoints.
refused() {
    local message=$1
    shift
    rm -f ran
    CIJAIL_ENDPOINTS=${endpoints:-} run cijail "$@" -- touch ran
    t_status 125
    t_eq "$err" "cijail: $message"
    t_false test -e ran
}

# runs CIJAIL-ARGUMENT...: the allow twin.
runs() {
    rm -f ran
    CIJAIL_ENDPOINTS=${endpoints:-} run cijail "$@" -- touch ran
    t_status 0
    t_eq "$err" ''
    t_true test -e ran
}

t_case '-e: the word, its line, the reason, and what is expected'
while IFS='|' read -r word reason expected; do
    refused "-e:1: '$word': $reason; expected $expected" -e "$word"
    refused "-e:2: '$word': $reason; expected $expected" -e "registry.example"$'\n'"  $word # a comment"
done <<END2
http:/h.example/|a URL has '://' after its scheme|$url
ftp://h.example/|only http and https URLs; for other protocols write NAME:PORT|$url
get:https://h.example/|methods are written in upper case|$url
https://user:secret@h.example/|userinfo ('@') before the host is refused|$url
https://h.example:99999/|the port is not from 1 to 65535|$url
https://h.example/a/..|the prefix ends in a dot segment ('.' or '..'): write the path that it stands for|$url
https://h.example/%00|an encoded NUL (%00) in the path is refused|$url
h.example/path|a path belongs to a URL, which begins with https:// or http://|$any
bad..name|the name has an empty label|$any
192.0.2.1|an address needs a port|$any
192.0.2.1/24:53|the address has bits beyond /24: the network is 192.0.2.0/24|$any
2001:db8::1:53|an IPv6 address stands in brackets|$any
[2001:db8::1]|an address needs a port|[ADDRESS6]:PORT, [ADDRESS6]/LEN:PORT or [netlink]
/run/../x|the path has a '.' or '..' component|/path/to/socket, absolute
@|the name after '@' is empty|@abstract
END2

t_case 'words of the language that cannot be allowed'
refused "-e:1: 'registry.example:53': a DNS server is named by its address, so that the names that it is asked for are \
judged; expected ADDRESS:53, and each NAME" -e registry.example:53
for word in 127.0.0.53:53 '[::1]:53'; do
    refused "-e:1: '$word': port 53 of the host's loopback is a resolver that answers for any name; expected NAME for each \
name that may be resolved, without a server" -e "$word"
done
for word in 0.0.0.0:80 '[::]:80' '[::ffff:127.0.0.1]:80'; do
    refused "-e:1: '$word': another spelling of the host's loopback, which is not taken for it; expected 127.0.0.1:PORT or \
[::1]:PORT" -e "$word"
done
for word in registry.example:54 192.0.2.53:53 127.0.0.53:54 '[::1]:54' 127.0.0.1:80 '[::1]:80'; do
    runs -e "$word"
done

t_case 'what was meant by each of these runs'
for word in http://h.example/ GET:https://h.example/ https://h.example:9999/ https://h.example/ \
    https://h.example/path bad.name 192.0.2.1:53 192.0.2.0/24:53 '[2001:db8::1]:53' /run/x @x '[netlink]'; do
    runs -e "$word"
    runs -e "registry.example"$'\n'"  $word # a comment"
done

t_case 'CIJAIL_ENDPOINTS: before every option, with its own lines'
endpoints=$'\n# two\n  registry.example bad..name\n' \
    refused "CIJAIL_ENDPOINTS:3: 'bad..name': the name has an empty label; expected $any" -e 'b..c'
endpoints=$'\n# two\n  registry.example bad.name\n' runs -e 'b.c'

t_case '-p FILE: its path, with comments and empty lines counted'
printf '# a comment: bad..name\n\nregistry.example # another b..c\n\t bad..name # here\nnever.read\n' >ci.policy
refused "./ci.policy:4: 'bad..name': the name has an empty label; expected $any" -p ./ci.policy
refused "$PWD/ci.policy:4: 'bad..name': the name has an empty label; expected $any" --policy="$PWD/ci.policy"
sed -i 's/ bad\.\./ bad./' ci.policy
runs -p ./ci.policy

t_case 'lines that end in CR LF count as one, and the CR is no part of a word'
printf '# a comment\r\n\r\nregistry.example\r\nbad..name\r\n' >ci.policy
refused "./ci.policy:4: 'bad..name': the name has an empty label; expected $any" -p ./ci.policy
printf '# a comment\r\n\r\nhttps://registry.example/\r\n' >ci.policy
CIJAIL_ENDPOINTS='' run cijail -p ./ci.policy -- curl -s https://registry.example/pkg/lodash
t_eq "$out" 'a package'

t_case 'a carriage return inside of a line: it would hide what stands before it'
lines='a carriage return inside of a line; expected lines that end in LF or CR LF'
printf 'registry.example\r# harmless\n' >ci.policy
refused "./ci.policy:1: 'registry.example\\x0d# harmless': $lines" -p ./ci.policy
printf 'registry.example\n# an old file\rother.example\r' >ci.policy
refused "./ci.policy:2: '# an old file\\x0dother.example\\x0d': $lines" -p ./ci.policy

t_case 'of two -e and a file the first error is said, with its own source'
printf 'bad..name\n' >ci.policy
refused "-e:1: 'b..c': the name has an empty label; expected $any" -e registry.example -e b..c -p ./ci.policy
refused "./ci.policy:1: 'bad..name': the name has an empty label; expected $any" -e registry.example -p ./ci.policy \
    -e b..c

t_case 'a file that is missing, a folder, not readable, endless'
none='the file cannot be read'
refused "./missing.policy: $none: No such file or directory; expected a file of endpoints" -p ./missing.policy
refused "./: $none: Is a directory; expected a file of endpoints" -p ./
refused "./ci.policy/x: $none: Not a directory; expected a file of endpoints" -p ./ci.policy/x
large='the file is longer than 4194304 bytes; expected at most that in all sources together'
refused "/dev/zero: $large" -p /dev/zero
truncate -s 4194305 large.policy
refused "./large.policy: $large" -p ./large.policy
if ((EUID)); then
    printf 'registry.example\n' >closed.policy
    chmod 000 closed.policy
    refused "./closed.policy: $none: Permission denied; expected a file of endpoints" -p ./closed.policy
    chmod 600 closed.policy
    runs -p ./closed.policy
fi
runs -p /dev/null
printf 'registry.example\n' | cijail -p /dev/stdin -- true
t_eq "$?" 0

t_case 'sources that are too long only together'
printf '%2097152s' ' ' >half.policy
runs -p ./half.policy -p ./half.policy
refused './half.policy: the policy is longer than 4194304 bytes; expected at most that in all sources together' \
    -e a -p ./half.policy -p ./half.policy

t_case 'too many words, and a word that is too long'
yes a.example | head -n 100000 >many.policy
runs -p ./many.policy
refused "-e:1: 'b.example': the policy has more than 100000 endpoints; expected at most that in all sources together" \
    -p ./many.policy -e b.example
word=https://h.example/$(printf '%4078s' '' | tr ' ' a)
runs -e "$word"
refused "-e:1: '${word::156}...': the word is longer than 4096 bytes; expected an endpoint in plain text" -e "${word}a"

t_case 'what is not plain text: NUL, byte order marks, UTF-16, other bytes'
printf 'registry.example\nother\0.example\n' >ci.policy
refused "./ci.policy:2: 'other\\x00.example': the word has a NUL byte; expected an endpoint in plain text" -p ./ci.policy
printf '# a\0b\n' >ci.policy
refused "./ci.policy:1: '# a\\x00b': a NUL byte in a comment; expected plain text" -p ./ci.policy
mark='the text begins with a byte order mark; expected plain UTF-8 without one'
printf '\xef\xbb\xbfregistry.example\n' >ci.policy
refused "./ci.policy:1: '\\xef\\xbb\\xbfregistry.example': $mark" -p ./ci.policy
printf '\xff\xfea\0\n\0' >ci.policy
refused "./ci.policy:1: '\\xff\\xfea\\x00': $mark" -p ./ci.policy
printf 'b\xfccher.example\n' >ci.policy # Latin-1
refused "./ci.policy:1: 'b\\xfccher.example': the name is not UTF-8; expected $any" -p ./ci.policy
printf 'b\xc3\xbccher.example # \xfc in a comment is nobody'\''s\n' >ci.policy
runs -p ./ci.policy

t_case 'no byte of a word reaches the terminal as it is'
refused "-e:1: 'a\\x1b[2J': the word has white space or a control character; expected an endpoint in plain text" \
    -e $'a\e[2J'
refused "-p npm\\x1b: there is no preset of that name; expected one that cijailctl show lists, or a file, named with a slash: ./npm\\x1b" -p $'npm\e'

t_done
