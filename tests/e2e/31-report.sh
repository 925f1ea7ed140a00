#!/usr/bin/env bash
# Reports: cijail --summary at the end of a run, cijailctl report of JSON logs; the same sums in every form, and no byte
# of the jail's gets out of its place in any of them.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
ctl=$BUILD/ctl/cijailctl

# py JSON-FILE EXPRESSION: of Python, of d.
py() { python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"; }

script='curl -sS -o /dev/null https://registry.example/a; curl -sS -o /dev/null https://registry.example/b
curl -sS -o /dev/null -X PUT https://registry.example/evil
for i in 1 2 3; do getent hosts secret.attacker.example; done; true'
jail() { run cijail "$@" -e GET:https://registry.example/ -e never.example -- sh -c "$script"; }

t_case '--summary: JSON has what was allowed, denied and never used'
jail -q --summary ./s.json
t_status 0
t_eq "$(py s.json 'd["exit_status"]')" 0
t_eq "$(py s.json '[(h["allowed"] >= 2, h["denied"]) for h in d["hosts"] if h["name"] == "registry.example"]')" '[(True, 1)]'
t_eq "$(py s.json '[x["what"] for x in d["denials"] if x["kind"] == "request"]')" \
    "['PUT https://registry.example/evil']"
t_true test "$(py s.json 'max(x["count"] for x in d["denials"] if x["where"] == "secret.attacker.example")')" -ge 3
t_eq "$(py s.json 'd["unused"]')" "['never.example']"
t_eq "$(py s.json '[w["word"] for w in d["used"]]')" "['GET:https://registry.example/']"
t_true test "$(py s.json 'sum(p[1] for p in d["timeline"]["periods"]) == d["denied"]')" = True

t_case 'cijailctl report of the same run, with -v and without'
for v in -v ''; do
    rm -f l.json
    # shellcheck disable=SC2086 # one word or none
    jail $v --log ./l.json --log-format json --summary ./s.json
    t_status 0
    run "$ctl" report -o ./r.json ./l.json
    t_status 0
    t_eq "$(py r.json 'd["denied"]')" "$(py s.json 'd["denied"]')"
    t_eq "$(py r.json 'sorted((x["what"], x["count"]) for x in d["denials"])')" \
        "$(py s.json 'sorted((x["what"], x["count"]) for x in d["denials"])')"
    if [[ $v ]]; then
        t_eq "$(py r.json '(d["allowed"], d["hosts"], d["bytes_received"])')" \
            "$(py s.json '(d["allowed"], d["hosts"], d["bytes_received"])')"
    fi
done

t_case 'text, Markdown and HTML have the same'
for form in txt md html; do
    jail -q --summary "./s.$form"
    t_status 0
    t_true grep -q 'PUT https://registry.example/evil' "s.$form"
    t_true grep -q 'secret.attacker.example' "s.$form"
done
t_match "$(cat s.md)" '^### cijail: [0-9]+ allowed, [0-9]+ denied$'
t_match "$(cat s.txt)" '^  never.example$'

t_case 'github: added to the file that the variable names'
echo '# before' >job.md
run env GITHUB_STEP_SUMMARY="$PWD/job.md" cijail --summary=github -- true
t_status 0
t_match "$(cat job.md)" '^# before$'
t_match "$(cat job.md)" '^### cijail: 0 allowed, 0 denied$'
run env -u GITHUB_STEP_SUMMARY cijail --summary=github -- touch ran
t_status 125
t_match "$err" 'GITHUB_STEP_SUMMARY is not set'
t_false test -e ran

t_case 'a file that cannot be written, or of no form: nothing is run'
run cijail --summary ./missing/s.md -- touch ran
t_status 125
t_match "$err" 'cijail: --summary: cannot open ./missing/s.md: No such file'
run cijail --summary ./s.pdf -- touch ran
t_status 125
t_match "$err" 'expected a file that ends in .md, .html, .json or .txt'
t_false test -e ran
run cijail --summary ./ran.md -- touch ran
t_status 0
t_true test -e ran
t_true test -s ran.md

t_case 'a full disk is an error, after the command'
if [[ -e /dev/full ]]; then
    ln -sf /dev/full full.md
    run cijail --summary ./full.md -- touch after
    t_status 125
    t_match "$err" '--summary: cannot write \./full\.md: No space left on device; the report is not complete'
    t_true test -e after
else
    t_fail 'no /dev/full'
fi

t_case 'strings of the jail stay in their place'
cat >evil.json <<'END2'
{"time":"2026-01-01T00:00:00Z","decision":"deny","dry_run":false,"kind":"request","method":"GET","url":"https://h.example/</code><script>alert(1)</script>|`x``y`","bytes_sent":0,"bytes_received":0,"reason":"<b>\u001b[31m"}
{"time":"2026-01-01T00:00:01Z","decision":"deny","dry_run":false,"kind":"unix","path":"/tmp/a\nb\u001b]0;x\u0007"}
END2
for form in text markdown html json; do
    run "$ctl" report -f "$form" ./evil.json
    t_status 0
    t_false grep -q $'[\033\007]' <<<"$out"
    t_match "$out" 'alert\(1\)'
done
run "$ctl" report -f html ./evil.json
t_no_match "$out" '<script|<b>.*\[31m'
t_match "$out" '&lt;script&gt;'
t_no_match "$out" 'src=|href=|url\(|@import'
run "$ctl" report -f markdown ./evil.json
t_match "$out" '^\| 1 \| request ```? .*\\\|`x``y` ```? \| `<b>'

t_case 'the page is one to an HTML parser, and nothing in it loads, runs or leads elsewhere'
run "$ctl" report -o ./evil.html ./evil.json
run python3 "$T_LIB/page.py" ./s.html ./evil.html
t_status 0
t_eq "$out" ''
t_eq "$(grep -oE '<th[^>]*>[^<]*' s.html | grep -cvE '<th scope="col"( class="n")?>.')" 0 # each has a text
t_count 1 "$(<s.html)" '<main>'
t_match "$(<s.html)" 'role="img" aria-label="[0-9]+ allowed and [0-9]+ denied over time; something was denied in [1-9][0-9]* of [0-9]+ columns"'
t_match "$(<s.html)" '<path class="nof" d="M' # and not by its colour alone
t_eq "$(grep -o '<svg[^>]*>' s.html | grep -cvE 'aria-(label|hidden)=')" 0
{ sed 's|</table>||' s.html && echo '<img src=x onerror=alert(1)>'; } >broken.html # the twin
sed '/Content-Security-Policy/,+1d' s.html >open.html
run python3 "$T_LIB/page.py" ./broken.html ./open.html
t_match "$out" '^./broken.html: [0-9]+:'
t_match "$out" '^./broken.html: element img$'
t_match "$out" '^./broken.html: attribute onerror of img$'
t_match "$out" '^./open.html: policies: '

t_case 'a log that is none is an error that names the line'
while IFS='|' read -r line why; do
    printf '%s\n%s\n' '{"time":"2026-01-01T00:00:00Z","decision":"deny","kind":"unix","path":"/x"}' "$line" >bad.json
    run "$ctl" report ./bad.json
    t_status 2
    t_eq "$out" ''
    t_match "$err" "^cijailctl: report: ./bad.json:2: .*$why.*; expected a log by cijail"
done <<'END2'
[1]|no JSON object
x|.
{"time":"2026-01-01T00:00:00Z","decision":"deny","kind":"nope"}|kind is not known
{"time":"2026-01-01T00:00:00Z","decision":"maybe","kind":"unix"}|neither allow nor deny
{"time":"yesterday","decision":"deny","kind":"unix"}|time is not of the form
END2
run "$ctl" report ./missing.json
t_status 2
run "$ctl" report
t_status 2
run "$ctl" report -f pdf ./l.json
t_status 2

t_case 'bounded: a hundred thousand hosts'
python3 - >big.json <<'END2'
line = '{"time":"2026-01-01T%02d:%02d:%02dZ","decision":"deny","dry_run":false,"kind":"resolve","name":"n%d.example","type":"A"}'
for i in range(100000):
    t = i % 86400
    print(line % (t // 3600, t // 60 % 60, t % 60, i))
END2
[[ -z ${T_REPORTS:-} ]] && bound=200000 || bound=unlimited # the sanitizers reserve terabytes
run bash -c "ulimit -v $bound; exec '$ctl' report -o ./big.html ./big.json"
t_status 0
t_true test "$(stat -c %s big.html)" -lt 1000000
run "$ctl" report -o ./bigsum.json ./big.json
t_eq "$(py bigsum.json '(d["denied"], len(d["denials"]) + d["more_denials"], len(d["timeline"]["periods"]) <= 120)')" \
    '(100000, 100000, True)'
t_done
