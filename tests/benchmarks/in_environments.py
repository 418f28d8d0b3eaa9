"""Steps in an environment that was made before, against the same steps on the host."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

from measuring import BIN, EXAMPLE, Row, Run, environment, median, paired, timed

if TYPE_CHECKING:
    from pathlib import Path

NODE = """\
  s{number}:
    type: command
    command: python -c pass
    environment: {{image: any, conda_file: {conda}}}
"""


def environments(work: Path, length: int = 20) -> list[Row]:
    """Steps of a Python that does nothing, in the example's environment as uv makes it. The first one makes it."""
    conda = EXAMPLE.parents[2] / "components" / "data_prep" / "conda.yaml"
    nodes = "".join(NODE.format(number=number, conda=conda) for number in range(length))
    (work / "pipeline.yml").write_text(f"type: pipeline\nsettings: {{default_compute: serverless}}\njobs:\n{nodes}")

    def run(*flags: str) -> Run:
        env = environment(CREDITML_HOME=tempfile.mkdtemp(prefix="home-", dir=work))
        return timed([str(BIN / "creditml"), "run", "pipeline.yml", "--max-parallel", "1", *flags], work, env)

    mine, host = paired(lambda: run("--env", "uv"), run, 11)
    extra = median([(a.wall - b.wall) / length for a, b in zip(mine, host, strict=True)])
    a, b = median([r.wall for r in mine]), median([r.wall for r in host])
    found = f"+{extra * 1e3:.1f} ms a step, {a / b:.2f}x"
    return [Row(f"{length} steps by uv", f"{a:.2f} s", f"host {b:.2f} s", found, "+50 ms a step", extra <= 0.05)]
