#!/usr/bin/env python3
"""Which ring variant is the faster one, over cached tokens: libringcast by ctypes, without a package to install.

usage: choose.py [MODEL] [MACHINE] [CP]
SPDX-License-Identifier: GPL-3.0-or-later
"""
import ctypes
import os
import sys


class Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("text", ctypes.c_char * 1276)]


class Pass(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("decode", ctypes.c_int), ("tp", ctypes.c_int), ("cp", ctypes.c_int),
                ("variant", ctypes.c_char_p), ("new_tokens", ctypes.c_int64), ("cached_tokens", ctypes.c_int64),
                ("sequences", ctypes.c_int), ("attention_weights", ctypes.c_char_p), ("ffn_weights", ctypes.c_char_p),
                ("kv", ctypes.c_char_p), ("draws", ctypes.c_int), ("seed", ctypes.c_uint64)]


class Choice(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("ring", ctypes.c_char * 32), ("ring_time", ctypes.c_double),
                ("fastest", ctypes.c_char * 32), ("fastest_cp", ctypes.c_int), ("fastest_time", ctypes.c_double)]


lib = ctypes.CDLL(os.environ.get("LIBRINGCAST", "libringcast.so.0"))


def call(function, *arguments):
    err = Error()
    if function(*arguments, ctypes.byref(err)) != 0:
        sys.exit("choose.py: " + err.text.decode())


model, machine = ctypes.c_void_p(), ctypes.c_void_p()
name, where, cp = (sys.argv[1:] + ["llama-3.1-405b", "gtt", "4"][len(sys.argv) - 1:])[:3]
call(lib.ringcast_model_load, name.encode(), ctypes.byref(model))
call(lib.ringcast_machine_load, where.encode(), None, ctypes.c_size_t(0), ctypes.byref(machine))
for cached in (0, 32000, 64000, 96000, 120000):
    p, c = Pass(), Choice(size=ctypes.sizeof(Choice))
    lib.ringcast_pass_init(ctypes.byref(p))
    assert p.size == ctypes.sizeof(Pass), "this file knows another structure than the library"
    p.cp, p.new_tokens, p.cached_tokens, p.ffn_weights = int(cp), 8000, cached, b"fp8"
    call(lib.ringcast_choose, model, machine, ctypes.byref(p), ctypes.byref(c))
    print(f"8000 new, {cached} cached: {c.ring.decode()}, {1e3 * c.ring_time:.1f} ms")
lib.ringcast_machine_free(machine)
lib.ringcast_model_free(model)
