#!/bin/sh
# workload.sh SOURCES WRITES: a build, in the folder SOURCES that `workload.sh make SOURCES` has made; for each part of
# it a line "PART MICROSECONDS". The folder is as before afterwards.
set -eu

now() { date +%s%N; }

part() { # NAME COMMAND...
    name=$1
    shift
    start=$(now)
    "$@" >/dev/null 2>&1 </dev/null
    echo "$name $((($(now) - start) / 1000))"
}

make_sources() { # files of C (SOURCES, 200) that include much, and what builds them
    mkdir -p "$1"
    cd "$1"
    i=0
    while [ $i -lt "${SOURCES:-200}" ]; do
        cat >file$i.c <<END
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <unistd.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <pthread.h>
int function$i(int n, char *text);
int function$i(int n, char *text)
{
    char line[256];
    for (int i = 0; i < n; i++) {
        snprintf(line, sizeof(line), "%d %s", i, text);
        if (strstr(line, "$i") != NULL)
            n += (int)strtol(line, NULL, 10) - open(line, O_RDONLY);
    }
    return n;
}
END
        i=$((i + 1))
    done
    echo 'int main(void) { return 0; }' >main.c
    cat >Makefile <<'END'
objects = $(patsubst %.c,%.o,$(wildcard *.c))
program: $(objects)
	$(CC) -o $@ $(objects)
%.o: %.c
	$(CC) -O1 -c -o $@ $<
END
}

configure() { # what a configure script does: many small programs, compiled, linked, run, removed
    for what in stdio.h stdlib.h string.h unistd.h fcntl.h errno.h time.h math.h sys/types.h sys/stat.h sys/socket.h \
        sys/wait.h netinet/in.h arpa/inet.h pthread.h dirent.h signal.h locale.h wchar.h limits.h; do
        echo "#include <$what>" >conftest.c
        echo 'int main(void) { return 0; }' >>conftest.c
        cc -o conftest conftest.c
        ./conftest
        echo "$what" | sed 'y/abcdefghijklmnopqrstuvwxyz.\//ABCDEFGHIJKLMNOPQRSTUVWXYZ__/' >>config.h
        rm -f conftest conftest.c
    done
}

one_byte_writes() { dd if=/dev/zero of=/dev/null bs=1 count="$1"; }
read_all() { find /usr/include -type f -exec cat {} +; }

if [ "$1" = make ]; then
    make_sources "$2"
    exit
fi
cd "$1"
part configure configure
part make make -j2
part tar sh -c 'tar -cf - -C /usr include | cat'
part find find /usr/include -type f -size +1k
part cat read_all
part writes one_byte_writes "$2"
rm -f ./*.o program config.h
