#!/usr/bin/env bash
# The tests' own library: a case never passes because nothing was tested.
. "$(dirname "$0")/../lib/lib.sh"
in_real_network "$@"

file() { # BODY: a test file of one case
    printf '%s\n' ". '$T_LIB/lib.sh'" 'in_real_network' "t_case 'the case'" "$1" t_done >file.sh
}

t_case 'a case that asserts nothing, or wrongly, is not ok; one that asserts is'
file ''
run bash file.sh
t_match "$out" '^not ok - the case$'
t_match "$out" '^1\.\.1$'
file 't_eq 1 2; t_eq 1 1'
run bash file.sh
t_match "$out" '^not ok - the case$'
file 't_eq 1 1'
run bash file.sh
t_eq "$out" $'ok - the case\n1..1'

t_case 'what takes too long, or is waited for in vain, has failed'
file 't_eq 1 1; T_LIMIT=1 run sleep 20'
run env T_SLOW=1 bash file.sh
t_match "$out" '^# the case: it did not end within 1 s$'
t_match "$out" '^not ok - the case$'
file 't_eq 1 1; T_LIMIT=20 run sleep 1'
run bash file.sh
t_eq "$out" $'ok - the case\n1..1'
file 'sleep() { :; }; t_eq 1 1; until_true false'
run bash file.sh
t_match "$out" '^# the case: waited in vain until: false$'
t_match "$out" '^not ok - the case$'

t_case 'matching: how many lines match, as grep has it'
long=$(seq 3000)
for text in '' a ab $'a\n' $'a\n\nb' $'b\na b\nab\n\n\nba' $'a{\na.b\n\\' "$long"; do
    for regex in '' a '^a' 'a$' '^$' '^a$' 'a|b' '[^a]' 'a.b' 'a\.b' '(a|b){2}' '^.{2}$' '\{' '\\' '^[0-9]{4}$' '^9'; do
        matching "$text" "$regex"
        t_eq "$regex: $matches" "$regex: $(grep -cE -e "$regex" <<<"$text")"
    done
done
file 't_no_match a "("'
run bash file.sh
t_match "$out" '^not ok - the case$'

t_case 'the output of a command: NULs and newlines at its end are left out, the rest is as it was'
for text in '' 'a' 'a\n' 'a\n\n\n' '\n\na b\n c\n' 'a\0b\0\n' '\0' '\\n\377\n'; do
    run printf "$text"
    t_eq "$out" "$(printf "$text" | tr -d '\0')"
done

t_case 'need: skipped where the kernel lacks it, failed with CIJAIL_MUST_WORK'
file 'if need wings false; then t_eq 1 1; fi'
run env -u CIJAIL_MUST_WORK bash file.sh
t_eq "$out" $'skip - the case: this machine lacks wings\n1..1'
run env CIJAIL_MUST_WORK=1 bash file.sh
t_match "$out" '^# the case: this machine lacks wings, and CIJAIL_MUST_WORK is set$'
t_match "$out" '^not ok - the case$'
file 't_eq 1 2; need wings false'
run env -u CIJAIL_MUST_WORK bash file.sh
t_match "$out" '^not ok - the case$'
file 'if need wings true; then t_eq 1 1; fi'
for must in '' 1; do
    run env CIJAIL_MUST_WORK=$must bash file.sh
    t_eq "$out" $'ok - the case\n1..1'
done

t_done
