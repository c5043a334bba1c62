#!/usr/bin/env bash
# DVC and PyYAML read a number with a leading zero in params.yaml as two different numbers.
#
# Versions: dvc 3.67.1, PyYAML 6.0.3, Python 3.11.
# Behaviour: `seed: 010` is 10 to DVC, which reads YAML 1.2 and records it so in dvc.lock, and 8 to a stage that reads the same
# file with PyYAML, which reads YAML 1.1. Correct the file to `seed: 10`, and DVC calls the stage up to date, although it would
# now train with another seed.
# Output seen: "stage read 8", "dvc recorded 10", "Data and pipelines are up to date.", "stage would read 10".
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet dvc==3.67.1 pyyaml==6.0.3
export PATH="$folder/venv/bin:$PATH" DVC_NO_ANALYTICS=1
mkdir "$folder/project"
cd "$folder/project"
git init --quiet
dvc init --quiet

echo "seed: 010" >params.yaml
cat >stage.py <<'PYTHON'
import yaml

print(yaml.safe_load(open("params.yaml"))["seed"])
PYTHON
cat >dvc.yaml <<'YAML'
stages:
  train:
    cmd: python stage.py > seed.txt
    deps: [stage.py]
    params: [seed]
    outs: [seed.txt]
YAML
dvc repro --quiet

stage=$(cat seed.txt)
recorded=$(python -c 'import yaml; print(yaml.safe_load(open("dvc.lock"))["stages"]["train"]["params"]["params.yaml"]["seed"])')
echo "seed: 10" >params.yaml
status=$(dvc status)
corrected=$(python stage.py)
echo "stage read $stage"
echo "dvc recorded $recorded"
echo "$status"
echo "stage would read $corrected"

[ "$stage" = 8 ]
[ "$recorded" = 10 ]
[ "$status" = "Data and pipelines are up to date." ]
[ "$corrected" = 10 ]
