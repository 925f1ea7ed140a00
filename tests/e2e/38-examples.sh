#!/usr/bin/env bash
# The examples of the manual pages, run as they stand (the clients in them are stand-ins); completions and the rest of
# contrib, as far as it can be tried here.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
unset CIJAIL_ENDPOINTS "${!npm_config_@}" "${!PIP_@}"
mkdir -p home bin
export HOME=$T_TMP/home
PATH=$T_TMP/bin:$BUILD/ctl:$PATH

# examples PAGE: the code of the section; prose is indented less.
examples() {
    mandoc -T ascii -O width=500 "$T_SRC/man/$1" | sed $'s/.\b//g' | sed -n '/^EXAMPLES/,/^[A-Z][A-Z ]*$/p' |
        sed -nE 's/^ {9,}//p; s/^ {5}(cijail )/\1/p; s/^ {5}(export )/\1/p'
}
cat >bin/npm <<'END'
#!/bin/sh
if [ "$*" = 'config get registry' ]; then echo https://registry.example/; else curl -sS -m 10 -o /dev/null https://registry.example/npm/; fi
END
cat >bin/cargo <<'END'
#!/bin/sh
curl -sS -m 10 -o /dev/null https://index.crates.example/config.json
END
printf 'check:\n\ttrue\n' >Makefile
printf '#!/bin/sh\ncurl -sS -m 10 -o /dev/null -X POST https://coverage.example/api/v2/upload; true\n' >build.sh
printf 'POST:https://coverage.example/api/v2/upload\n' >ci.policy
cat >bin/cijail <<END
#!/bin/sh
"$CIJAIL" "\$@"
status=\$?
echo \$status >>"$T_TMP/statuses"
exit \$status
END
chmod +x bin/* build.sh

t_case 'cijail(1): each example runs'
examples cijail.1 >examples
t_true test "$(grep -c cijail examples)" -ge 5
run bash examples
t_no_match "$err" '^cijail: '
t_eq "$(sort -u statuses)" 0
t_eq "$(wc -l <statuses)" "$(grep -cE '^(cijail|.*; cijail) ' examples)"
t_true test -e cijail.json

t_case 'cijailctl(8): each example runs'
rm -f statuses
examples cijailctl.8 >examples
t_true test "$(grep -c cijailctl examples)" -ge 6
while IFS= read -r line; do
    run bash -c "$line"
    t_match "$status" '^[01]$'
    t_no_match "$err" '^(usage:|cijailctl: )'
done <examples
t_eq "$(cat statuses)" 99
t_true test -s new.policy -a -s week.html

t_case 'cijail-policy(5): each example is a policy, or runs'
examples cijail-policy.5 | grep -v '^cijail' >examples
t_true test "$(grep -cE '^[^#]' examples)" -ge 5
run "$BUILD/ctl/cijailctl" check ./examples
t_match "$status" '^[01]$'
t_no_match "$out" ' error: '
rm -f statuses
mandoc -T ascii -O width=500 "$T_SRC/man/cijail-policy.5" | sed $'s/.\b//g' | sed -nE 's/^ +(cijail -e )/\1/p' >examples
t_eq "$(wc -l <examples)" 1
run bash examples
t_match "$(cat statuses)" '^[0-9]$' # the server is not there, but the jail is

t_case 'every option and verb is known to the completions'
options=$(cijail --help | grep -oE -e '--[a-z-]{3,}' | sort -u)
t_true test "$(wc -l <<<"$options")" -ge 12
verbs=$("$BUILD/ctl/cijailctl" --help | sed -nE 's/^  ([a-z]+) .*/\1/p')
presets=$("$BUILD/ctl/cijailctl" show | cut -d ' ' -f 1)
for file in cijail.bash _cijail cijail.fish; do
    text=$(<"$T_SRC/contrib/completions/$file")
    for word in $options; do
        [[ $file != cijail.fish ]] || word="-l ${word#--} "
        t_assert "$word is not in $file" grep -qF -e "$word" <<<"$text "
    done
    for word in $verbs $presets; do t_assert "$word is not in $file" grep -qw -e "$word" <<<"$text"; done
done

t_case 'bash completes'
cat >complete.bash <<END
source "$T_SRC/contrib/completions/cijail.bash"
words() { COMP_WORDS=("\$@") COMP_CWORD=\$((\$# - 1)) COMPREPLY=(); "_\$1"; echo "\${COMPREPLY[*]}"; }
words cijail --fail
words cijail -p np
words cijail --log-format j
words cijail -p npm -- true
words cijailctl do
words cijailctl show pi
words cijailctl explain --j
END
printf 'words %s\n' 'cijail --log-format = j' 'cijail --policy = np' 'cijail --log-format = json --fail' 'cijail -p n' 'cijail -p ./ci.' \
    'cijail -e https : //registry.example/ --dry' 'cijailctl podman run -' >>complete.bash # "=" and ":" are words
run bash complete.bash
t_eq "$err" ''
t_match "$(sed -n 4p <<<"$out")" 'true'
t_eq "$(sed 4d <<<"$out" | paste -sd ' ')" '--fail-on-deny npm json doctor pip --json json npm --fail-on-deny npm ./ci.policy --dry-run'

t_case 'zsh and fish complete'
cat >lines <<'END'
cijail --fail
cijail -p np
cijail --log-format j
cijail -p npm --dry
cijail --summary gith
cijail -e https://registry.example/ --dry
cijail -p npm -- ./only-o
cijailctl do
cijailctl show pi
cijailctl explain --j
cijailctl report -f mark
END
touch only-one && chmod +x only-one
# zsh completes in a terminal alone: ^X notes the line as it is then.
cat >complete.zsh <<'END'
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "fpath=($1 \$fpath); autoload -Uz compinit; compinit -D -u"
zpty -w shell "note() { print -r -- \"\$BUFFER\" >>noted; BUFFER=; }; zle -N note; bindkey '^I' complete-word '^X' note; : >noted"
while [[ ! -e noted ]] sleep 0.05
n=0
while read -r line; do
    zpty -w -n shell "$line"$'\t\x18'
    n=$((n + 1))
    while [[ $(wc -l <noted) -lt n ]] sleep 0.02
done
cat noted
END
T_STDIN=lines run zsh -f complete.zsh "$T_SRC/contrib/completions"
whole=$(sed 's/--fail$/&-on-deny/; s/np$/npm/; s/t j$/t json/; s/--dry$/&-run/; s/gith$/github/; s/-o$/-one/; s/do$/doctor/; s/pi$/pip/
    s/--j$/&son/; s/mark$/markdown/' lines)
t_eq "$(sed 's/ $//' <<<"$out")" "$whole"
cat >complete.fish <<'END'
source $argv[1]
while read -l line
    echo (string replace -r '[^ ]*$' '' $line)(complete -C $line | string replace -r '\t.*' '' | string join ' ')
end
END
T_STDIN=lines run fish --no-config complete.fish "$T_SRC/contrib/completions/cijail.fish"
t_eq "$out" "$whole"

t_case 'the other files are what they should be'
for file in github/action.yml gitlab/cijail.yml; do
    t_false grep -qP '\t' "$T_SRC/contrib/$file"
done
# What the action runs: its last script, with a jail of here.
sed -n '/INPUT_RUN: /,$p' "$T_SRC/contrib/github/action.yml" | sed -n '/run: |/,$p' | sed 1d >action.sh
INPUT_RUN='curl -sS -m 10 https://registry.example/pkg/lodash' INPUT_PRESETS='' INPUT_POLICY='' INPUT_OPTIONS=--fail-on-deny \
    CIJAIL_ENDPOINTS=https://registry.example/ run bash action.sh
t_status 0
t_eq "$out" 'a package'
INPUT_RUN='curl -sS -m 10 https://registry.example/pkg/lodash || true' INPUT_PRESETS='pip' INPUT_POLICY=./ci.policy INPUT_OPTIONS=--fail-on-deny \
    run bash action.sh
t_status 98
# Inputs of several lines; the shell is that of GitHub's "shell: bash".
INPUT_RUN='curl -sS -m 10 https://registry.example/pkg/lodash || true' INPUT_PRESETS=$'go\npip\n' INPUT_POLICY='' \
    INPUT_OPTIONS=$'-v\n  --summary=./action.md\n--fail-on-deny\n' run bash --noprofile --norc -eo pipefail action.sh
t_status 98
t_match "$(<action.md)" 'registry\.example'
# By these files a step sets what the later ones run.
files=(GITHUB_PATH=./path GITHUB_ENV=./env GITHUB_OUTPUT=./output GITHUB_STATE=./state)
INPUT_RUN='env | grep ^GITHUB_; true' INPUT_PRESETS='' INPUT_POLICY='' INPUT_OPTIONS='' \
    run env "${files[@]}" GITHUB_JOB=build bash -eo pipefail action.sh
t_status 0
t_eq "$(grep -v '^GITHUB_STEP_SUMMARY=' <<<"$out")" GITHUB_JOB=build
t_eq "$(grep -A 2 'CIJAIL_RUN:' "$T_SRC/contrib/gitlab/cijail.yml" | grep -c 'expand: false')" "$(grep -c ' CIJAIL_RUN:' "$T_SRC/contrib/gitlab/cijail.yml")"
sed -n '/^      set --/,/^  artifacts/p' "$T_SRC/contrib/gitlab/cijail.yml" | sed '$d' >gitlab.sh
CIJAIL_RUN='curl -sS -m 10 https://registry.example/pkg/lodash' CIJAIL_PRESETS='' CIJAIL_OPTIONS=--fail-on-deny \
    CIJAIL_ENDPOINTS=https://registry.example/ run sh -e gitlab.sh
t_eq "$out" 'a package'
CIJAIL_RUN='curl -sS -m 10 https://registry.example/pkg/lodash || true' CIJAIL_PRESETS='go pip' CIJAIL_OPTIONS=--fail-on-deny run sh -e gitlab.sh
t_status 98
t_match "$err" 'deny .*registry\.example'
t_done
