#!/usr/bin/env bash
# File systems of the jail's own (FUSE) that do not answer, while the gate looks for a socket in them. The kernel breaks
# such a wait off when the last /dev/fuse has gone, and that may be under way in a socket that the gate has taken.
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@" # for a PID namespace: the gates that pgrep finds are this test's

# hang.py WHERE NUMBER: connects to a socket in such a file system, which is silent from the request of that number on.
# WHERE /dev/fuse is: own: in the process; queue: in the queue of the socket that is connected; embryo: in a connection
# that the listener has not accepted.
cat >hang.py <<'END'
import array, ctypes, errno, os, socket, struct, sys, threading, time
ROOT, LOOKUP, FORGET, GETATTR, MKNOD, INIT, FORGET_SOME = 1, 1, 2, 3, 8, 26, 42
where, silent_from = sys.argv[1], int(sys.argv[2])
libc = ctypes.CDLL(None, use_errno=True)
fuse = os.open("/dev/fuse", os.O_RDWR)
os.mkdir(where)
if libc.mount(b"hang", where.encode(), b"fuse", 0, b"fd=%d,rootmode=40000,user_id=0,group_id=0,default_permissions" % fuse) < 0:
    sys.exit("mount: " + os.strerror(ctypes.get_errno()))
modes, counting, count = {ROOT: 0o40755}, False, 0
def attributes(node):
    return struct.pack("<6Q10I", node, 0, 0, 0, 0, 0, 0, 0, 0, modes[node], 1, 0, 0, 0, 4096, 0)
def entry(node): # nothing of it is valid for long, so all is asked for again and again
    return struct.pack("<4Q2I", node, 1, 0, 0, 0, 0) + attributes(node)
def answer():
    global count
    while True:
        request = os.read(fuse, 200000)
        length, call, unique, node = struct.unpack_from("<IIQQ", request)
        error, reply = 0, b""
        if call in (FORGET, FORGET_SOME):
            continue
        if counting:
            count += 1
            if count >= silent_from:
                print("silent", flush=True)
                continue
        if call == INIT:
            reply = struct.pack("<4I2H2I2H7I", 7, 31, 65536, 0, 12, 10, 65536, 1, 1, 0, *[0] * 7)
        elif call == LOOKUP:
            error, reply = (0, entry(2)) if 2 in modes else (errno.ENOENT, b"")
        elif call == MKNOD:
            modes[2] = struct.unpack_from("<I", request, 40)[0]
            reply = entry(2)
        elif call == GETATTR:
            reply = struct.pack("<Q2I", 0, 0, 0) + attributes(node)
        else:
            error = errno.ENOSYS
        os.write(fuse, struct.pack("<IiQ", 16 + len(reply), -error, unique) + reply)
threading.Thread(target=answer, daemon=True).start()
path = where + "/socket"
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen(8)
connected = socket.socket(socket.AF_UNIX)
connected.connect(path)
a, b = socket.socketpair()
if where != "own":
    socket.send_fds(b if where == "queue" else connected, [b"x"], [fuse])
counting = True
def connect():
    s = a if where == "queue" else socket.socket(socket.AF_UNIX)
    try:
        s.connect(path)
        print("connected", flush=True)
    except OSError as e:
        print(errno.errorcode[e.errno], flush=True)
threading.Thread(target=connect, daemon=True).start()
time.sleep(0.5)
os._exit(3)
END
if ((EUID == 0)) || [[ -w /dev/fuse ]]; then # udev lets everyone have it
    t_case 'the jail ends, whatever the gate waits for, wherever /dev/fuse is'
    for where in own queue embryo; do
        for number in 1 2 3 4 5 6; do
            rm -rf $where
            run cijail -q -- unshare -rm python3 hang.py $where $number
            t_status 3
            t_match "$out" '^silent$'
            until_true bash -c "! pgrep -x cijail-gate"
        done
    done

    t_case 'the twin: one that answers is connected to'
    rm -rf own
    run cijail -q -- unshare -rm python3 hang.py own 1000
    t_status 3
    t_eq "$out" connected
    rm -rf queue
    run cijail -q -- unshare -rm python3 hang.py queue 1000
    t_eq "$out" EISCONN
else
    t_case 'the twin: without /dev/fuse there is none'
    run cijail -q -- unshare -rm python3 hang.py own 1000
    t_match "$err" 'Permission denied'
fi
t_done
