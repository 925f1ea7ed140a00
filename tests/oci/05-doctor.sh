#!/usr/bin/env bash
# cijailctl doctor in a container of podman's: what podman's own settings lack is told, with the options that mend it; with
# these it works there, and so does a jail.
# timeout: 300
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/oci.sh"
in_real_network_with_podman
need_podman
# What doctor tells to start it with, as it stands there.
open=(--security-opt seccomp=unconfined --security-opt unmask=ALL)

t_case 'as podman starts it: what lacks, and what to start it with'
run podman run --network=none -v "$BUILD:$BUILD:ro" "${box[@]}" "$CTL" doctor
t_status 1
t_match "$out" '^LACKING +user-namespace '
t_match "$out" "start it with ${open[*]}"
t_match "$out" '^cijail does not work here yet$'

t_case 'the masks of /proc alone are lacking, too'
run podman run --network=none "${open[@]:0:2}" -v "$BUILD:$BUILD:ro" "${box[@]}" "$CTL" doctor
t_status 1
t_match "$out" '^ok +user-namespace '
t_match "$out" "${open[*]}"

t_case 'so started, it works, and a jail does'
run podman run --network=none "${open[@]}" -v "$BUILD:$BUILD:ro" "${box[@]}" "$CTL" doctor
t_status 0
t_match "$out" '^cijail works here$'
t_no_match "$out" 'LACKING|not tried'
run podman run --network=none "${open[@]}" -v "$BUILD:$BUILD:ro" "${box[@]}" "$CIJAIL" -- echo 'in a jail'
t_status 0
t_eq "$out" 'in a jail'
t_done
