#!/usr/bin/env bash
# Installing Prefect beside DVC changes which params.yaml DVC can read.
#
# Versions: dvc 3.67.1, ruamel.yaml 0.19.1, prefect 3.8.8 (requires ruamel-yaml-clib, here 0.2.15), Python 3.11.
# Behaviour: DVC asks ruamel.yaml for its "safe" reader, which is written in Python, and is libyaml's where
# ruamel.yaml.clib happens to be installed. The two take different texts: an unquoted address between braces is a text
# to the first and an error to the second. So the same dvc.yaml and params.yaml run in an environment of DVC alone and
# stop every DVC command where Prefect was installed too, with a message about a corrupted file.
# Output seen: alone "http://127.0.0.1:5000"; beside Prefect "YAML file structure is corrupted".
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet dvc==3.67.1 ruamel.yaml==0.19.1
export PATH="$folder/venv/bin:$PATH" DVC_NO_ANALYTICS=1
mkdir "$folder/project"
cd "$folder/project"
git init --quiet
dvc init --quiet
echo "tracking: { url: http://127.0.0.1:5000 }" >params.yaml
cat >dvc.yaml <<'YAML'
stages:
  train:
    cmd: echo trained > model.txt
    params: [tracking.url]
    outs: [model.txt]
YAML

dvc repro --quiet
alone=$(sed -n 's/.*tracking.url: //p' dvc.lock)
echo "alone: $alone"
[ "$alone" = "http://127.0.0.1:5000" ]

pip install --quiet --quiet prefect==3.8.8 ruamel.yaml==0.19.1 ruamel.yaml.clib==0.2.15
needs=$(pip show prefect)
case $needs in *ruamel-yaml-clib* | *ruamel.yaml.clib*) ;; *) exit 1 ;; esac
if beside=$(dvc status 2>&1); then
    echo "beside Prefect: $beside"
    exit 1
fi
echo "beside Prefect: $beside"
case $beside in *"YAML file structure is corrupted"*) ;; *) exit 1 ;; esac
