#!/usr/bin/env bash
# What a GPU makes of this: install, doctor, parity, speed, live sessions, training. Fifteen minutes on a bare machine with CUDA.
#
#   scripts/gpu_check.sh                                          # all of it
#   GPU_CHECK_STEPS="doctor bench" scripts/gpu_check.sh           # some of it
#   GPU_CHECK_DEVICE=cpu GPU_CHECK_SHORT=1 scripts/gpu_check.sh   # every line, small, without a GPU
#
# OUT              folder of the results (at most 8 files): log.txt, doctor.json, parity.jsonl, bench.json, families.json,
#                  serve.json, train.json, table.md, of which the last is for docs/performance.md; ./gpu_check if not given
# GPU_CHECK_PYTHON a Python that has all that is needed: nothing is installed
# GPU_CHECK_WHEELS a folder of wheels, for a machine without a network: they are laid beside what python3 has
# GPU_CHECK_CLIPS  a folder of talking-face videos to train on; the shipped portraits speak if not given
# GPU_CHECK_FIXTURES  a folder of parity fixtures; ../shared/parity if not given
set -uo pipefail
cd "$(dirname "$0")/.."

device=${GPU_CHECK_DEVICE:-cuda}
steps=${GPU_CHECK_STEPS:-install doctor parity bench families serve train}
fixtures=${GPU_CHECK_FIXTURES:-../shared/parity}
out=${OUT:-$PWD/gpu_check}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
exec > >(tee -a "$out/log.txt") 2>&1
export PYTHONPATH="$PWD:$PWD/server${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
python=${GPU_CHECK_PYTHON:-python3}

if [ -n "${GPU_CHECK_SHORT:-}" ]; then
  sizes=128 sessions=1,2 viewers="1 2" runs=1 seconds=1 watched=3 families=fomm minutes=0.1 config=fomm_small side=128
  words="Good evening."
else
  sizes=256,512,1024 sessions=1,4,16 viewers="1 4 16" runs=3 seconds=10 watched=20 minutes=5 config=face_vid2vid side=256
  families=fomm,face-vid2vid,liveportrait
  words="I was asked today whether machines could ever really think. I said that it depends on what one means by it."
fi

# A step that hangs is ended, and hinders no other.
limit=300
run() { timeout "$limit" "$@"; }

install() {
  [ -n "${GPU_CHECK_PYTHON:-}" ] && { echo "uses $python as it is"; return; }
  if [ -n "${GPU_CHECK_WHEELS:-}" ]; then
    run python3 -m pip install -q --no-index --no-deps --upgrade --target "$work/site" "$GPU_CHECK_WHEELS"/*.whl &&
      export PYTHONPATH="$PYTHONPATH:$work/site"
  else
    python3 -m venv "$work/env" && python=$work/env/bin/python && run "$python" -m pip install -q '.[gpu,server]'
  fi
}

doctor() { run "$python" -m speechhead doctor --json > "$out/doctor.json"; }

parity() {
  [ -d "$fixtures" ] || { echo "no fixtures in $fixtures: parity is left out"; return; }
  run "$python" -m pipelines.parity "$fixtures" --device "$device" > "$out/parity.jsonl"
}

measure() { # generators, sizes, page, JSON
  printf '<!-- bench -->\n<!-- /bench -->\n' > "$3"
  run "$python" -m speechhead bench --generator "$1" --device "$device" --size "$2" --sessions "$sessions" \
    --runs "$runs" --seconds "$seconds" --json --markdown "$3" > "$4"
}

bench() { measure compact "$sizes" "$work/compact.md" "$out/bench.json"; }

families() { measure "$families" "${sizes%%,*}" "$work/families.md" "$out/families.json"; }

serve() {
  # shellcheck disable=SC2086  # a list of numbers
  run "$python" -m server.bench --sessions $viewers --device "$device" --size "${sizes%%,*}" --seconds "$watched" \
    --sync 0 --says 0 --cycles 0 > "$out/serve.json"
}

train() {
  local clips=${GPU_CHECK_CLIPS:-$work/clips}
  if [ ! -d "$clips" ]; then
    mkdir -p "$clips"
    for name in grace_hopper eileen_collins; do
      run "$python" -m speechhead.say "$words" --portrait "$name" --voice joe --crop --size "$side" \
        -o "$clips/$name.mp4" || return
    done
  fi
  "$python" scripts/gpu_check.py config "$config" "$clips" "$work/training" "$device" > "$work/training.json" &&
    run "$python" -m pipelines.train generator --config "$work/training.json" --minutes "$minutes" &&
    "$python" scripts/gpu_check.py progress "$work/training" > "$out/train.json"
}

failed=()
for step in $steps; do
  echo "== $step ($SECONDS s)"
  [ "$step" = train ] && limit=600
  "$step" || failed+=("$step")
done

"$python" scripts/gpu_check.py table "$out" "$work" > "$out/table.md" || failed+=(table)
echo "== done after $SECONDS s; failed: ${failed[*]:-none}; results in $out"
[ ${#failed[@]} -eq 0 ]
