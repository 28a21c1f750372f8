#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""New and cached tokens of every request of a trace under a cache that forgets nothing.

usage: convert.py TRACE.jsonl[.xz] > NAME.csv

Reads Mooncake's JSONL (hash_ids of 512-token blocks) and session JSONL (hash_ranges of 64-token
blocks, ids of their own in each session). P is the number of leading tokens whose blocks were seen
before, at most the input less one; T the rest.
"""
import json
import lzma
import sys


def blocks(row):
    if "hash_ids" in row:
        return 512, row["input_length"], row["hash_ids"]
    ids = [(row["id"], first + i) for first, count in row["hash_ranges"] for i in range(count)]
    return 64, row["in"], ids


def main():
    path = sys.argv[1]
    seen = set()
    print("T,P")
    with (lzma.open if path.endswith(".xz") else open)(path, "rt") as lines:
        for line in lines:
            size, tokens, ids = blocks(json.loads(line))
            lead = 0
            while lead < len(ids) and ids[lead] in seen:
                lead += 1
            seen.update(ids)
            cached = min(lead * size, tokens - 1)
            print(f"{tokens - cached},{cached}")


main()
