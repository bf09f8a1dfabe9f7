#!/usr/bin/python3
"""A mounted file system whose server takes every request and never answers: what a dead NFS mount is like.

usage: deadfs.py FOLDER

It answers the kernel's greeting and nothing else. A process that touches the folder waits uninterruptibly (D
state, not even SIGKILL ends it) until this program ends: then the kernel fails what waits. Says "mounted" on
stdout. The protocol is that of linux/fuse.h.
"""
import ctypes
import os
import struct
import sys

FUSE_INIT = 26
HEADER = struct.Struct("<IIQQIIII")  # length, opcode, unique, node, uid, gid, pid, padding
MAJOR, MINOR = 7, 31


def main(folder):
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open("/dev/fuse", os.O_RDWR)
    options = "fd=%d,rootmode=40000,user_id=0,group_id=0" % fd
    if libc.mount(b"deadfs", folder.encode(), b"fuse", 0, options.encode()):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), folder)
    print("mounted", flush=True)
    while True:
        try:
            request = os.read(fd, 1 << 20)
        except OSError:  # unmounted
            return
        opcode, unique = HEADER.unpack_from(request)[1:3]
        if opcode == FUSE_INIT:
            answer = struct.pack("<IIIIHHIIHHI28x", MAJOR, MINOR, 4096, 0, 12, 9, 4096, 1, 1, 0, 0)
            os.write(fd, struct.pack("<IiQ", 16 + len(answer), 0, unique) + answer)


main(sys.argv[1])
