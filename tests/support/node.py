"""Runs modules of the browser's side in node, without any package."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from support.paths import ROOT

CLIENT = ROOT / "server" / "speechhead_server" / "client"
NODE = shutil.which("node")


def run(script: str, folder: Path, **given: Any) -> Any:
    """The value of a script's `return`, as JSON.

    Parameters
    ----------
    script : body of an async function; `load(path)` imports a module of the client, `given` holds what is handed over
    folder : for its files
    """
    assert NODE is not None
    (folder / "given.json").write_text(json.dumps(given))
    program = f"""
import {{ readFileSync }} from "node:fs";
const given = JSON.parse(readFileSync({json.dumps(str(folder / "given.json"))}, "utf8"));
const load = (path) => import({json.dumps(CLIENT.as_uri())} + "/" + path);
const found = await (async () => {{ {script} }})();
console.log(JSON.stringify(found));
"""
    path = folder / "program.mjs"
    path.write_text(program)
    done = subprocess.run(
        [NODE, "--no-warnings", "--experimental-default-type=module", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)
