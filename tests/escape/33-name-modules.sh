#!/usr/bin/env bash
# Modules of nsswitch.conf(5), which getaddrinfo(3) loads when the first name is looked up: by then the command may have put
# one where the supervisor would find it.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
in_mounts=(unshare --mount --user --map-current-user --keep-caps)
((EUID == 0)) && in_mounts=(unshare --mount)

cat >evil.c <<'END'
#include <unistd.h>
__attribute__((constructor)) static void begin(void)
{
    (void)!write(2, "EVIL\n", 5);
}
END
cc -shared -fPIC -o evil.so evil.c
mkdir modules
sed 's/^hosts:.*/hosts: files evil dns/' /etc/nsswitch.conf >nsswitch.conf
grep -q '^hosts: files evil dns' nsswitch.conf || echo 'hosts: files evil dns' >>nsswitch.conf
cat >run.sh <<'END'
mount --bind nsswitch.conf /etc/nsswitch.conf && export LD_LIBRARY_PATH=$PWD/modules && exec "$@"
END

t_case 'a module that the command puts into a folder of LD_LIBRARY_PATH is not loaded by the supervisor'
run "${in_mounts[@]}" sh run.sh cijail -e http://registry.example/ -- \
    sh -c 'cp evil.so modules/libnss_evil.so.2; exec curl -s -o /dev/null -w "%{http_code}" http://registry.example/echo'
t_eq "$out" 200
t_no_match "$err" EVIL
t_case 'the twin: outside it is loaded'
cp evil.so modules/libnss_evil.so.2
run "${in_mounts[@]}" sh run.sh getent ahosts registry.example
t_match "$err" EVIL
t_done
