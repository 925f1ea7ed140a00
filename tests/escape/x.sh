. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
time timeout 250 python3 "$T_SRC/tests/escape/faults.py" "$CIJAIL"
