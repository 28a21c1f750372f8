#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times the kernels beside cuDNN (through PyTorch) and beside a device copy, on one Hopper GPU.

Both sides run on the same tensors, alternately, each as the replay of a CUDA graph that holds a batch of
calls; figures are medians of the batches. Inputs are random normal. Ops that a cache could serve rotate
among input sets larger than it. TFLOP/s count 4*128 operations a visible (query, key) pair and head.

    python3 tests/bench/kernels_vs_cudnn.py [--csv out.csv] [--library libkernels.so] [--only decode] [--reps 9]
"""
import argparse
import csv
import ctypes
import os
import statistics
import subprocess
import tempfile
import warnings

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
L2_BYTES = 64 << 20
HBM_GBS = {"NVIDIA H100 80GB HBM3": 3350, "NVIDIA H200": 4800}  # data sheets
BF16_TFLOPS = 989
FP8 = 1  # RC_KERNEL_E4M3
# Batch 1, 16 heads on 1 KV head: the best public table for the shape, us.
DECODE_US = {8192: 16.9, 32768: 22.7, 65536: 28.3, 131072: 46.9}
PTR, I32, I64, F32 = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64, ctypes.c_float


class AttnArgs(ctypes.Structure):
    _fields_ = [("q", PTR), ("k", PTR), ("v", PTR), ("o", PTR), ("lse", PTR), ("tq", I64), ("tk", I64),
                ("hq", I32), ("hkv", I32), ("causal", I32), ("scale", F32), ("sms", I32), ("splits", I32),
                ("workspace", PTR), ("dtype", I32), ("q_scale", F32), ("k_scale", F32), ("v_scale", F32),
                ("seqs", I32), ("q_start", PTR), ("q_len", PTR), ("k_start", PTR), ("k_len", PTR),
                ("tickets", PTR), ("share", I32)]


class DecodeArgs(ctypes.Structure):
    _fields_ = [("q", PTR), ("k", PTR), ("v", PTR), ("lens", PTR), ("o", PTR), ("lse", PTR), ("batch", I32),
                ("max_len", I64), ("hq", I32), ("hkv", I32), ("scale", F32), ("splits", I32),
                ("workspace", PTR), ("dtype", I32), ("q_scale", F32), ("k_scale", F32), ("v_scale", F32),
                ("sms", I32)]


def build(path):
    """Compiles kernels/*.cu side by side into one shared library."""
    folder = os.path.join(ROOT, "kernels")
    names = [n for n in sorted(os.listdir(folder)) if n.endswith(".cu")]
    flags = ["-gencode", "arch=compute_90a,code=sm_90a", "-O3", "-std=c++17", "-Xcompiler", "-fPIC", "-I" + ROOT]
    with tempfile.TemporaryDirectory() as out:
        jobs = [subprocess.Popen(["nvcc", *flags, "-c", os.path.join(folder, n), "-o", os.path.join(out, n + ".o")])
                for n in names]
        if any(job.wait() for job in jobs):
            raise SystemExit("nvcc failed")
        objects = [os.path.join(out, n + ".o") for n in names]
        subprocess.run(["nvcc", "-shared", *objects, "-o", path], check=True)


def load(path):
    if not path:
        path = os.path.join(tempfile.mkdtemp(), "libkernels.so")
        build(path)
    lib = ctypes.CDLL(path)
    lib.rc_attn_workspace.restype = lib.rc_decode_workspace.restype = ctypes.c_size_t
    lib.rc_attn_flops.restype = lib.rc_attn_bytes.restype = ctypes.c_double
    lib.rc_attn_bytes.argtypes = [I64, I64, I32, I32]
    lib.rc_attn_flops.argtypes = [I64, I64, I32, I32]
    lib.rc_kernel_version.restype = ctypes.c_char_p
    return lib


def stream():
    return PTR(torch.cuda.current_stream().cuda_stream)


def ok(code):
    if code:
        raise RuntimeError(f"kernel call returned {code}")


def normal(*shape):
    return torch.randn(*shape, device="cuda", dtype=torch.bfloat16)


def graph_of(call, batch):
    """A CUDA graph of `batch` calls, call(i) being told its number."""
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        for i in range(2):
            call(i)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for i in range(batch):
            call(i)
    return graph


def once(graph):
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    graph.replay()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) * 1e3


def measure(calls, reps, guess_us):
    """Median microseconds of each call, batches alternating; None stands for a call that cannot run."""
    batch = max(2, min(64, int(4000 / guess_us)))
    graphs = [graph_of(c, batch) if c else None for c in calls]
    times = [[] for _ in calls]
    for _ in range(reps + 1):
        for graph, list_ in zip(graphs, times):
            if graph:
                list_.append(once(graph) / batch)
    return [statistics.median(list_[1:]) if list_ else float("nan") for list_ in times]


def forms(q, k, v, causal):
    """Ways to ask PyTorch for the same result, by name: grouped heads, heads repeated, and where one KV head serves
    all and no mask tells tokens apart, the heads laid out as further queries, which is a free view."""
    qt, kt, vt = (x.transpose(1, 2) for x in (q, k, v))
    group = q.shape[2] // k.shape[2]
    yield "grouped", qt, kt, vt, True, lambda o: o
    if group > 1:
        ke, ve = (x.expand(-1, group, -1, -1) if x.shape[1] == 1 else x.repeat_interleave(group, 1) for x in (kt, vt))
        yield "repeated", qt, ke, ve, False, lambda o: o
    if group > 1 and k.shape[2] == 1 and not causal:
        batch, tokens, heads, width = q.shape
        packed = q.reshape(batch, 1, tokens * heads, width)
        yield "packed", packed, kt, vt, False, lambda o: o.reshape(batch, tokens, heads, width).transpose(1, 2)


def sdpa(q, k, v, causal):
    """A PyTorch call on [batch][token][head][128] tensors and its name: the fastest form that cuDNN takes, or FlashAttention
    where it takes none."""
    for name, backend in (("cudnn", SDPBackend.CUDNN_ATTENTION), ("flash", SDPBackend.FLASH_ATTENTION)):
        best = None
        for form, qt, kt, vt, gqa, back in forms(q, k, v, causal):
            def call(_=0, qt=qt, kt=kt, vt=vt, gqa=gqa, backend=backend, back=back):
                with sdpa_kernel(backend):
                    return back(F.scaled_dot_product_attention(qt, kt, vt, is_causal=causal, enable_gqa=gqa))
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    graph = graph_of(call, 2)
                us = min(once(graph) for _ in range(3))
            except RuntimeError:
                continue
            if best is None or us < best[0]:
                best = (us, call, f"{name}-{form}" if q.shape[2] != k.shape[2] else name)
        if best:
            return best[1], best[2]
    return None, "none"


def e4m3(lib, k, v):
    """bf16 keys and values [tokens][heads][128] in the layouts of kernels.h."""
    t, heads = k.shape[0], k.shape[1]
    k8 = torch.empty(t, heads, 128, device="cuda", dtype=torch.uint8)
    v8 = torch.zeros((t + 127) // 128, heads, 128, 128, device="cuda", dtype=torch.uint8)
    ok(lib.rc_kv_fp8(PTR(k.data_ptr()), PTR(v.data_ptr()), PTR(k8.data_ptr()), PTR(v8.data_ptr()), I64(t), I64(0),
                     heads, F32(1.0), F32(1.0), stream()))
    return k8, v8


def ints(values):
    return (I32 * len(values))(*values)


class Bench:
    def __init__(self, lib, reps):
        self.lib, self.reps, self.rows = lib, reps, []
        self.copy_gbs = self.copy_rate()
        self.tickets = torch.zeros(2, device="cuda", dtype=torch.int32)
        self.hbm_gbs = HBM_GBS.get(torch.cuda.get_device_name(), float("nan"))

    def copy_rate(self):
        """GB/s, read plus written, of the better of a copy and a one-input kernel over 4 GB."""
        a = normal(1 << 30)
        b = torch.empty_like(a)
        times = measure([lambda i: b.copy_(a), lambda i: torch.neg(a, out=b)], self.reps, 1000)
        return 4 * a.numel() / min(times) / 1e3

    def row(self, kernel, case, us, rate, unit, peer, peer_us, required):
        """required: least ratio or rate, or most us; all must hold."""
        ratio = peer_us / us
        held = {"ratio": ratio, "rate": rate, "us": -us}
        ok_ = all(held[k] >= (-v if k == "us" else v) for k, v in required.items())
        text = " ".join(f"{k}{'<=' if k == 'us' else '>='}{v:.4g}" for k, v in required.items())
        verdict = ("yes" if ok_ else "no") if required else ""
        number = lambda x, digits: f"{x:.{digits}f}" if x == x else ""
        self.rows.append((kernel, case, f"{us:.2f}", f"{rate:.1f}", unit, peer, number(peer_us, 2), number(ratio, 3), text,
                          verdict))
        print(f"{kernel:<11} {case:<32} {us:>10.2f} {rate:>8.1f} {unit:<8} {peer:<14} {peer_us:>10.2f} {ratio:>7.3f} "
              f"{text:<24} {verdict}", flush=True)
        return rate

    def attention(self, tq, tk, causal, hq=16, hkv=1, sms=0, dtype=0, **required):
        q, k, v = normal(tq, hq, 128), normal(tk, hkv, 128), normal(tk, hkv, 128)
        o, lse = torch.full_like(q, float("nan")), torch.empty(tq, hq, device="cuda")
        call, peer = (None, "none") if dtype else sdpa(q[None], k[None], v[None], bool(causal))
        if dtype:
            want_q, want_k, want_v = q, k, v
            (q, _), (k, v) = e4m3(self.lib, q, q), e4m3(self.lib, k, v)
        a = AttnArgs(q.data_ptr(), k.data_ptr(), v.data_ptr(), o.data_ptr(), lse.data_ptr(), tq, tk, hq, hkv,
                     causal, 0.0, sms, 0, None, dtype, tickets=self.tickets.data_ptr())
        scratch = torch.empty(self.lib.rc_attn_workspace(ctypes.byref(a)) + 16, device="cuda", dtype=torch.uint8)
        a.workspace = scratch.data_ptr()
        flops = self.lib.rc_attn_flops(tq, tk, hq, causal)
        us, peer_us = measure([lambda i: ok(self.lib.rc_attn_forward(ctypes.byref(a), stream())), call], self.reps,
                              flops / 500e6)
        if dtype:
            call, _ = sdpa(want_q[None], want_k[None], want_v[None], bool(causal))
        if call:
            want = call()[0].transpose(0, 1).float()
            error = ((o.float() - want).norm() / want.norm()).item()
            if not error < (0.1 if dtype else 1e-2):
                print(f"WRONG: error {error}")
        name = f"{'causal' if causal else 'full'} {tq} x {tk}{' e4m3' if dtype else ''}"
        return self.row("attention", name, us, flops / us / 1e6, "TFLOP/s", peer, peer_us, required)

    def batch(self, seqs, length, causal, heads=16, **required):
        """Multi-head attention over equal sequences, laid one behind the other as a variable-length batch."""
        q, k, v = (normal(seqs, length, heads, 128) for _ in range(3))
        o, lse = torch.full_like(q, float("nan")), torch.empty(seqs * length, heads, device="cuda")
        start, len_ = ints([i * length for i in range(seqs)]), ints([length] * seqs)
        where = [ctypes.cast(x, PTR) for x in (start, len_, start, len_)]
        a = AttnArgs(q.data_ptr(), k.data_ptr(), v.data_ptr(), o.data_ptr(), lse.data_ptr(), seqs * length,
                     seqs * length, heads, heads, causal, 0.0, 0, 0, None, 0, 0, 0, 0, seqs, *where, self.tickets.data_ptr())
        scratch = torch.empty(self.lib.rc_attn_workspace(ctypes.byref(a)) + 16, device="cuda", dtype=torch.uint8)
        a.workspace = scratch.data_ptr()
        call, peer = sdpa(q, k, v, bool(causal))
        flops = seqs * self.lib.rc_attn_flops(length, length, heads, causal)
        us, peer_us = measure([lambda i: ok(self.lib.rc_attn_forward(ctypes.byref(a), stream())), call], self.reps,
                              flops / 500e6)
        want = call().transpose(1, 2).float()
        if not (o.float() - want).norm() / want.norm() < 1e-2:
            print("WRONG batch")
        name = f"{'causal' if causal else 'full'} {seqs} x {length} MHA {heads}"
        self.row("attention", name, us, flops / us / 1e6, "TFLOP/s", peer, peer_us, required)

    def decode(self, length, batch=1, hq=16, hkv=1, dtype=0):
        key_bytes = 256 if dtype else 512
        sets = max(1, min(32, 3 * L2_BYTES // (key_bytes * length * hkv * batch) + 1))
        data, scratch = [], None
        for _ in range(sets):
            q, k, v = normal(batch, hq, 128), normal(batch, length, hkv, 128), normal(batch, length, hkv, 128)
            o, lse = torch.empty_like(q), torch.empty(batch, hq, device="cuda")
            lens = torch.full((batch,), length, device="cuda", dtype=torch.int32)
            peer = sdpa(q[:, None], k, v, False) if batch == 1 and not dtype else (None, "none")
            if dtype:
                want = sdpa(q[:1, None], k[:1], v[:1], False)[0]().flatten()
                (q, _), (k, v) = e4m3(self.lib, q, q), e4m3(self.lib, k.flatten(0, 1), v.flatten(0, 1))
            a = DecodeArgs(q.data_ptr(), k.data_ptr(), v.data_ptr(), lens.data_ptr(), o.data_ptr(), lse.data_ptr(),
                           batch, length, hq, hkv, 0.0, 0, None, dtype)
            if scratch is None:
                size = self.lib.rc_decode_workspace(ctypes.byref(a)) + 16
                scratch = torch.empty(size, device="cuda", dtype=torch.uint8)
            a.workspace = scratch.data_ptr()
            data.append((a, peer[0], (q, k, v, o, lse, lens)))
        name = peer[1]
        ours = lambda i: ok(self.lib.rc_decode_forward(ctypes.byref(data[i % sets][0]), stream()))
        theirs = (lambda i: data[i % sets][1](i)) if data[0][1] else None
        bytes_ = key_bytes * length * hkv * batch
        us, peer_us = measure([ours, theirs], self.reps, 10 + bytes_ / 4e6)
        if theirs or dtype:
            ours(sets - 1)
            got = data[-1][2][3].float().flatten()[:hq * 128]
            want = (want if dtype else data[-1][1](0)).float().flatten()
            if not (got - want).norm() / want.norm() < (0.1 if dtype else 1e-2):
                print("WRONG decode")
        required = {}
        if not dtype and batch == 1:
            if length in DECODE_US:
                required["us"] = DECODE_US[length]
            if length >= 131072:
                required["rate"] = 0.8 * self.hbm_gbs
        case = f"batch {batch} x {length}{' e4m3' if dtype else ''}"
        self.row("decode", case, us, bytes_ / us / 1e3, "GB/s", name, peer_us, required)

    def streaming(self, kernel, case, bytes_, calls):
        us, = measure([lambda i: ok(calls[i % len(calls)]())], self.reps, bytes_ / 3e6)
        self.row(kernel, case, us, bytes_ / us / 1e3, "GB/s", "copy", bytes_ / self.copy_gbs / 1e3,
                 {"ratio": 0.85})

    def merge(self, n=4, rows=32768 * 16):
        o = [normal(rows, 128) for _ in range(n)]
        lse = [torch.randn(rows, device="cuda") for _ in range(n)]
        out, out_lse = torch.empty_like(o[0]), torch.empty_like(lse[0])
        op, lp = (PTR * n)(*(x.data_ptr() for x in o)), (PTR * n)(*(x.data_ptr() for x in lse))
        call = lambda: self.lib.rc_merge(op, lp, n, I64(rows), PTR(out.data_ptr()), PTR(out_lse.data_ptr()), 0, stream())
        self.streaming("merge", f"{n} parts x {rows} rows", (n + 1) * rows * 260, [call])
        acc, acc_lse = torch.empty(rows, 128, device="cuda"), torch.empty(rows, device="cuda")
        for name, first, last, bytes_ in (("first", 1, 0, 776), ("middle", 0, 0, 1292), ("last", 0, 1, 1036)):
            step = lambda first=first, last=last: self.lib.rc_merge_step(
                PTR(o[0].data_ptr()), PTR(lse[0].data_ptr()), I64(rows), first, PTR(acc.data_ptr()),
                PTR(acc_lse.data_ptr()), PTR(out.data_ptr() if last else 0), PTR(out_lse.data_ptr()), 0, stream())
            self.streaming("merge_step", f"{name} part x {rows} rows", bytes_ * rows, [step])

    def elementwise(self, t=32768, d=16384, f=6656, hq=16, hkv=1):
        lib, p = self.lib, lambda x: PTR(x.data_ptr())
        residual, x, w, y = normal(t, d), normal(t, d), normal(d), torch.empty(t, d, device="cuda", dtype=torch.bfloat16)
        scale = torch.empty(t, device="cuda")
        n, tt, eps = t * d, I64(t), F32(1e-5)
        self.streaming("rmsnorm", f"{t} x {d}", 8 * n, [lambda: lib.rc_rmsnorm(p(residual), p(x), p(w), p(y), tt, d, eps, stream())])
        self.streaming("rmsnorm_fp8", f"{t} x {d}", 7 * n, [lambda: lib.rc_rmsnorm_fp8(p(residual), p(x), p(w), p(y), p(scale), tt, d, eps, stream())])
        self.streaming("residual", f"{t} x {d}", 6 * n, [lambda: lib.rc_residual_add(p(x), p(y), I64(n), stream())])
        self.streaming("quantize", f"{t} x {d}", 3 * n, [lambda: lib.rc_quantize_fp8(p(x), p(y), p(scale), tt, d, stream())])
        gate = normal(t, 2 * f)
        self.streaming("swiglu", f"{t} x {f}", 6 * t * f, [lambda: lib.rc_swiglu(p(gate), p(y), tt, f, stream())])
        self.streaming("swiglu_fp8", f"{t} x {f}", 5 * t * f, [lambda: lib.rc_swiglu_fp8(p(gate), p(y), p(scale), tt, f, stream())])
        heads = hq + 2 * hkv
        qkv, k, v = normal(t, heads, 128), normal(t, hkv, 128), normal(t, hkv, 128)
        self.streaming("rotary", f"{t} x {heads} heads", 4 * t * heads * 128,
                       [lambda: lib.rc_rotary_kv(p(qkv), p(y), p(k), p(v), tt, I64(0), hq, hkv, F32(500000.0), stream())])


def run(bench, only):
    if "full" in only:
        for t in (8192, 16384, 32768):
            bench.attention(t, t, 0, ratio=1.0)
    if "causal" in only:
        for t in (16384, 32768, 131072):
            bench.attention(t, t, 1, ratio=1.0)
    if "cached" in only:
        for tk in (32000, 128000, 512000):
            rate = bench.attention(3200, tk, 0, ratio=1.0)
            for tq in (800, 1600, 6400):
                bench.attention(tq, tk, 0, ratio=1.0)
            for tq in (64, 128, 256, 512):
                bytes_ = bench.lib.rc_attn_bytes(tq, tk, 16, 1)
                roof = bench.lib.rc_attn_flops(tq, tk, 16, 0) / bytes_ * bench.hbm_gbs / 1e3
                bench.attention(tq, tk, 0, rate=0.85 * min(roof, BF16_TFLOPS, rate))
    if "fp8" in only:
        for t in (8192, 16384, 32768):
            bench.attention(t, t, 0, dtype=FP8, **({"rate": 900} if t == 16384 else {}))
        for t in (16384, 32768):
            bench.attention(t, t, 1, dtype=FP8)
        for tq in (64, 256, 800, 3200):
            bench.attention(tq, 128000, 0, dtype=FP8)
    if "mha" in only:
        for causal in (0, 1):
            for seqs, length, ratio in ((16, 1024, 1.0), (4, 4096, 1.1), (1, 16384, None)):
                bench.batch(seqs, length, causal, **({"ratio": ratio} if causal and ratio else {}))
    if "decode" in only:
        for length in (8192, 32768, 65536, 131072, 262144, 524288, 1048576):
            bench.decode(length)
        for batch in (8, 64, 256):
            bench.decode(8192, batch)
        for length in (8192, 131072, 1048576):
            bench.decode(length, dtype=FP8)
    if "merge" in only:
        bench.merge()
    if "elementwise" in only:
        bench.elementwise()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--csv")
    parser.add_argument("--library", help="already built shared library")
    parser.add_argument("--only", default="full causal cached fp8 mha decode merge elementwise")
    parser.add_argument("--reps", type=int, default=9)
    options = parser.parse_args()
    torch.manual_seed(1)
    lib = load(options.library)
    bench = Bench(lib, options.reps)
    versions = " ".join(lib.rc_kernel_version(n).decode() for n in (b"attention", b"decode", b"merge", b"elementwise"))
    print(f"# {torch.cuda.get_device_name()}, torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}, {versions}")
    print(f"# device copy {bench.copy_gbs:.0f} GB/s; ratio: peer time / our time")
    print(f"# {'kernel':<9} {'case':<32} {'us':>10} {'rate':>8} {'unit':<8} {'peer':<14} {'peer us':>10} {'ratio':>7} required")
    run(bench, options.only.split())
    short = [row for row in bench.rows if row[-1] == "no"]
    print(f"# {len(bench.rows)} cases, {sum(row[-1] != '' for row in bench.rows)} with a required figure, {len(short)} short of it")
    if options.csv:
        with open(options.csv, "w", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(("kernel", "case", "ours_us", "ours_rate", "unit", "peer", "peer_us", "ratio", "required", "ok"))
            writer.writerows(bench.rows)


if __name__ == "__main__":
    main()
