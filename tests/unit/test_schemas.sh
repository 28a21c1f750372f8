#!/usr/bin/env bash
# JSON of every command is what the schema that it names says (schema/NAME.json, JSON Schema 2020-12), and CSV of every
# command is a header and rows of as many cells, with the keys of the JSON's rows where both are of one table. A schema
# without a document here, or a document without a schema, fails. The validator is Python's jsonschema.
#
# usage: test_schemas.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$(cd "$1" && pwd)
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
python=
for p in /usr/bin/python3 python3; do
    if command -v "$p" >/dev/null && "$p" -c 'from jsonschema import Draft202012Validator' 2>/dev/null; then python=$p && break; fi
done
if [ -z "$python" ]; then
    echo "SKIPPED: no python3-jsonschema: JSON is not held against schema/"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/json" "$work/csv"

# document NAME ARGUMENTS...: NAME.NUMBER.json; an answer that falls short (exit 1) is a document, too.
number=0
document() {
    local status=0
    number=$((number + 1))
    "$build/ringcast" "${@:2}" >"$work/json/$1.$number.json" 2>"$work/err" || status=$?
    [ $status -le 1 ] || { echo "ringcast ${*:2} ends with $status: $(tail -1 "$work/err")"; exit 1; }
}
rows() { # NAME ARGUMENTS...: NAME.csv
    local status=0
    "$build/ringcast" "${@:2}" --csv >"$work/csv/$1.csv" 2>"$work/err" || status=$?
    [ $status -le 1 ] || { echo "ringcast ${*:2} --csv ends with $status: $(tail -1 "$work/err")"; exit 1; }
}

for kind in forward tune serve plan; do "$build/ringcast" init $kind --out "$work/$kind.yaml" >/dev/null; done
question=(--T 8K --P 120K --machine gtt --model llama-3.1-405b --cp 4)
document forward-1 forward scenarios/paper/cp4-128k.yaml --json
document forward-1 forward scenarios/paper/tp8-128k-decode.yaml --draws 0 --json
document forward-1 forward scenarios/schedules/decode.yaml --draws 0 --json
document forward-1 forward scenarios/schedules/stages.yaml --draws 0 --json
document forward-1 forward scenarios/calibrate/qwen-prefill.yaml --draws 0 --json --set machine.calibration.costs.gemm=h200-sxm
document forward-1 forward scenarios/what-if/deepseek-v3.2.yaml --draws 0 --json --set phase=decode --set parallel.variant=pass-q \
    --set tokens.new=1 --set tokens.cached=128K --set speculative.drafts=2 --set speculative.acceptance=0.85
document forward-1 forward scenarios/paper/cp4-128k.yaml --draws 0 --json --set phase=mixed --set machine=h200-sxm
document forward-1 forward scenarios/paper/cp4-128k.yaml --draws 0 --json --set parallel.variant=all-gather-kv --set parallel.cp=8
document forward-1 forward scenarios/paper/cp4-128k.yaml --draws 0 --json --set parallel.variant=usp --set parallel.ulysses=2
document forward-1 forward scenarios/paper/cp4-128k.yaml --draws 0 --json --set model=llama-3.1-8b --set parallel.tp=2 --set parallel.cp=8
document forward-1 forward scenarios/schedules/decode.yaml --draws 0 --json --set parallel.world=tp --set parallel.cp=2 \
    --set parallel.dcp=1 --set parallel.variant=pass-q
document forward-1 forward scenarios/schedules/decode.yaml --draws 0 --json --set model=deepseek-v3 --set parallel.dp_attention=2
head -40 scenarios/tune/requests/weka_sessions_58.csv >"$work/few.csv"
document tune-1 tune scenarios/tune/gtt.yaml --json --set new.points=4 --set total.points=4 --set bootstrap=2 --set 'cp=[1, 4]' \
    --set 'batch=[1]' --set 'sensitivity.models=[llama-3.1-8b]' --set "requests.files=[$work/few.csv]" --out "$work/tuned" --no-plots
document choose-1 choose "${question[@]}" --json
document choose-1 choose "${question[@]}" --rule "$work/tuned/select.json" --json
document choose-1 choose --T 1 --machine gtt --model llama-3.1-405b --cp 2 --json
document choose-1 choose --T 128K --machine h200-sxm --model llama-3.1-70b --tp 2 --cp 4 --launch vllm --json
document serve-1 serve scenarios/serve/mooncake.yaml --set arrivals.requests=100 --json
document serve-1 serve scenarios/serve/coding-split.yaml --set arrivals.requests=30 --json
document serve-1 serve "$work/serve.yaml" --set 'faults=[{kind: node-lost, at: 10s, back: 20s}]' --json
document serve-rates-1 serve "$work/serve.yaml" --set synthetic.requests=50 --rates 1..4 --points 2 --json
document trace-1 trace scenarios/traces/azure_2023_code.csv.xz --json
document paper-1 paper --draws 0 --json
document tune-1 tune "$work/tune.yaml" --json
document sweep-1 sweep scenarios/sweep/tcp.yaml --out "$work/t.db" --json
document plan-1 plan "$work/plan.yaml" --simulations 2 --quiet --json
document plan-1 plan "$work/plan.yaml" --simulations 2 --quiet --json --set space.pp=2
document plan-1 plan "$work/plan.yaml" --simulations 2 --quiet --json --set slo.0.ttft=1ms
document plan-1 plan "$work/plan.yaml" --simulations 6 --flips --quiet --json --set 'space.replicas={from: 2, to: 3}' \
    --set 'space.tp=[4]' --set 'space.cp=[1]'
document plan-1 plan "$work/plan.yaml" --simulations 4 --quiet --json --set model=deepseek-v3 --set 'space.tp=[16]' --set 'space.cp=[1]' \
    --set 'space.dcp=[2]' --set 'space.dp_attention=[2]' --set 'space.ep=[0]'
document model-1 model llama-3.1-405b deepseek-v3.2 qwen3.5-397b-a17b gpt-oss-120b --json
document models-1 models --json
document machines-1 machines --json
document keys-1 keys serve --json
document schedules-1 keys schedules --json
document calibration-list-1 calibration list --json
document calibration-show-1 calibration show --machine h100-sxm --op decode --json
# Few rows: to leave out those of all ops takes seconds.
"$build/ringcast" calibration export --machine h100-sxm | awk 'NR == 1 || /rmsnorm/' >"$work/a.csv"
document calibration-leave-out-1 calibration leave-out "$work/a.csv" --json
document calibration-leave-out-each-1 calibration leave-out "$work/a.csv" --each --json
"$build/ringcast" calibration export --machine h100-sxm | awk 'NR == 1 || /moe_ffn/ && n++ < 2' >"$work/b.csv"
"$build/ringcast" calibration build "$work/b.csv" --out "$work/b.db" >/dev/null
document calibration-show-1 calibration show --store "$work/b.db" --json
document calibration-diff-1 calibration diff "$work/a.csv" "$work/a.csv" --json
document validate-1 validate --draws 0 --json -
mkdir "$work/rings"
cp results/rings/h200x2/two-nvlink.csv "$work/rings"
bash scenarios/validation/rings.sh two >"$work/two.csv"
document validate-1 validate --draws 0 --results "$work/rings" --unseen "$work/two.csv" --json -
document validate-serving-1 validate --serving tests/data/serving/made-up --json -

rows forward forward scenarios/paper/cp4-128k.yaml
rows choose choose "${question[@]}"
rows serve serve "$work/serve.yaml" --set synthetic.requests=50
rows serve-rates serve "$work/serve.yaml" --set synthetic.requests=50 --rates 1..4 --points 2
rows trace trace scenarios/traces/azure_2023_code.csv.xz
rows paper paper --draws 0
rows tune tune "$work/tune.yaml"
rows sweep sweep scenarios/sweep/tcp.yaml --out "$work/t.db"
rows plan plan "$work/plan.yaml" --simulations 2 --quiet
rows model model llama-3.1-405b qwen3-32b
rows models-1 models
rows machines-1 machines
rows keys-1 keys serve
rows schedules-1 keys schedules
rows calibration-list-1 calibration list
rows calibration-show-1 calibration show --machine h100-sxm --op decode
rows calibration-leave-out-1 calibration leave-out "$work/a.csv"
rows calibration-leave-out-each-1 calibration leave-out "$work/a.csv" --each
rows calibration-diff-1 calibration diff "$work/a.csv" "$work/a.csv"
rows validate validate --draws 0
rows validate-serving validate --serving tests/data/serving/made-up

cat >"$work/check.py" <<'PYTHON'
import csv, glob, json, os, sys
from jsonschema import Draft202012Validator

work, bad, used, seen = sys.argv[1], 0, set(), {}


def complain(text):
    global bad
    bad += 1
    print(text)


def note(schema, value, root, path, seen):
    """Into `seen`: every property of a schema, by its path or its definition, and whether this value has it."""
    if "$ref" in schema:
        of = schema["$ref"].rsplit("/", 1)[1]
        schema, path = root["$defs"][of], f"{root['$id'].rsplit(':', 1)[1]} {of}"
    for part in [*schema.get("anyOf", []), *schema.get("oneOf", []), *schema.get("allOf", [])]:
        note(part, value, root, path, seen)
    for key, inner in schema.get("properties", {}).items():
        at = f"{path}.{key}"
        has = isinstance(value, dict) and key in value
        seen[at] = seen.get(at, False) or has
        note(inner, value[key] if has else None, root, at, seen)
    for inner, values in ((schema.get("items"), value if isinstance(value, list) else []),
                          (schema.get("additionalProperties"), value.values() if isinstance(value, dict) else [])):
        for item in [*values, None] if isinstance(inner, dict) else []:
            note(inner, item, root, path + "[]", seen)


schemas = {os.path.basename(p)[:-5]: json.load(open(p)) for p in glob.glob("schema/*.json")}
for name, schema in schemas.items():
    Draft202012Validator.check_schema(schema)
    if schema["$id"] != "urn:ringcast:schema:" + name:
        complain(f"{name}: its $id is {schema['$id']}")
for path in sorted(glob.glob(work + "/json/*.json")):
    name = os.path.basename(path).split(".")[0]
    document = json.load(open(path))
    named = (document[0] if isinstance(document, list) else document).get("schema")
    if named != name or name not in schemas:
        complain(f"{name}: the document names '{named}', and schema/ has {sorted(schemas)}")
        continue
    used.add(name)
    note(schemas[name], document, schemas[name], name, seen)
    validator = Draft202012Validator(schemas[name])
    for e in list(validator.iter_errors(document))[:5]:
        complain(f"{name}: {'/'.join(map(str, e.absolute_path))}: {e.message[:200]}")
    # the check can fail: a key that nobody knows, and a number that has become text
    item = document[0] if isinstance(document, list) else document
    item["unknown_to_all"] = 1
    if validator.is_valid(document):
        complain(f"{name}: its schema takes a key that it does not know")
    del item["unknown_to_all"]
    item["schema"] = "another-1"
    if validator.is_valid(document):
        complain(f"{name}: its schema takes a document of another kind")
for name in sorted(set(schemas) - used):
    complain(f"{name}: no command here prints such a document")
# A message beside attention on one host, a run that cannot be forecast, a row of a window: of other tests.
rare = {"forward-1.shared_chip_ms", "validate-1.cases[].why_not", "calibration-show-1.rows[].window"}
for at in sorted(at for at, has in seen.items() if not has and at not in rare):
    complain(f"{at}: no document here has it")
for path in sorted(glob.glob(work + "/csv/*.csv")):
    name = os.path.basename(path)[:-4]
    lines = list(csv.reader(open(path, newline="")))
    if len(lines) < 2 or any(len(line) != len(lines[0]) for line in lines):
        complain(f"{name}: CSV of {len(lines)} lines, {sorted({len(line) for line in lines})} cells each")
    if len(set(lines[0])) != len(lines[0]):
        complain(f"{name}: columns of the same name: {lines[0]}")
    if name in schemas:
        keys = list(schemas[name]["properties"]["rows"]["items"]["properties"])
        if lines[0] != keys[: len(lines[0])]:
            complain(f"{name}: columns {lines[0]}, JSON has {keys}")
print(f"{len(used)} schemas, {len(glob.glob(work + '/json/*'))} documents, {len(glob.glob(work + '/csv/*'))} CSV files")
sys.exit(bad > 0)
PYTHON
"$python" "$work/check.py" "$work"
