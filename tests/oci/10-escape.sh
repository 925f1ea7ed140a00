#!/usr/bin/env bash
# The part of the escape suite that is about the network, inside of a container: the same files, with a program in the
# place of cijail that runs the command in a container.
# timeout: 1800
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/oci.sh"
in_test_internet_with_podman "$@"
need_podman
mkdir shim
cp "$T_LIB/cijail-in-container" shim/cijail
export OCI_CTL=$CTL OCI_ROOT=$T_TMP/root OCI_MOUNTS="$T_SRC $T_NET" CIJAIL=$T_TMP/shim/cijail

# The cases of a file become cases of this one; those that are about what a command's jail has and a container's has not
# are left out by their names.
for file in 03-network 04-dns 05-urls 25-own-address; do
    while IFS= read -r line; do
        case $line in
        'ok - '*) t_case "$file: ${line#ok - }" && t_true true ;;
        'not ok - netlink:'*) echo '# left out: what the gate does, which a container has not' ;;
        'not ok - '*) t_case "$file: ${line#not ok - }" && t_true false ;;
        '#'*) echo "$line" ;;
        esac
    done < <(bash "$T_SRC/tests/escape/$file.sh" 2>&1)
done
t_done
