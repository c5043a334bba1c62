#!/usr/bin/env bash
# CodeCarbon's first start in a process waits more than a second for the name of the processor.
#
# Versions: codecarbon 3.3.2, py-cpuinfo 9.0.0, Python 3.11, Linux on x86-64.
# Behaviour: CodeCarbon asks py-cpuinfo for one field, the processor's name. py-cpuinfo answers in a process of its own
# and gathers all fields; for one of them, the frequency, it sleeps a second between two readings of a counter. The name
# that it returns is the one that the kernel has in /proc/cpuinfo. Jobs of a few seconds pay this in every process, and
# none of it is metered, since the child is no part of the process that is.
# Output seen: "named 'AMD EPYC' after 1.5 s; the kernel's name is the same".
set -euo pipefail

[ "$(uname -sm)" = "Linux x86_64" ] || { echo "only for Linux on x86-64"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet codecarbon==3.3.2 py-cpuinfo==9.0.0
cd "$folder"
cat >asks.py <<'PYTHON'
import time

from codecarbon.core.util import detect_cpu_model

begun = time.monotonic()
name = detect_cpu_model()
seconds = time.monotonic() - begun
with open("/proc/cpuinfo") as lines:
    kernels = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
assert name == kernels, (name, kernels)
assert seconds > 1, seconds
print(f"named {name!r} after {seconds:.1f} s; the kernel's name is the same")
PYTHON
venv/bin/python asks.py
