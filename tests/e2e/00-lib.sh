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
