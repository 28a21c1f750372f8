#!/usr/bin/env bash
# The tool that changes the source and asks the tests (tests/mutate), over a project of one file.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../mutate"
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
    echo "SKIPPED: no python3 (3.9 or newer)"
    exit 77
fi
export PYTHONDONTWRITEBYTECODE=1
python3 test_mutate.py
if ! python3 -c 'import sys, sanitizers; sys.exit(not sanitizers.available())'; then
    echo "SKIPPED: no clang with sanitizers: what mutants show under them"
    exit 77
fi
