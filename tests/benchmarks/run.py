"""Benchmarks, as ratios and differences against a floor that is measured in the same run. Prints a table.

    python tests/benchmarks/run.py                          all but the last four
    python tests/benchmarks/run.py start-up chain wide      some
    python tests/benchmarks/run.py environments             steps in an environment that uv makes
    python tests/benchmarks/run.py containers               a step in a container; needs an engine
    python tests/benchmarks/run.py crowd                    8 clients of one service with 25 jobs each: minutes
    python tests/benchmarks/run.py credit --data FILE.csv   the credit pipeline against its two scripts run by hand

Needs GNU make. Run it with the interpreter of the environment that creditml is installed in.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from in_containers import containers
from in_environments import environments
from measuring import BIN, EXAMPLE, ROOT, Row, Run, environment, median, paired, timed
from sdk import connect, crowd, submit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STEP = "import sys\nopen(sys.argv[2], 'w').write(open(sys.argv[1]).read() if sys.argv[1] != '-' else 'start')\n"
COMPONENT = """name: step
type: command
command: python step.py ${{inputs.data}} ${{outputs.out}}
code: ./src
environment: azureml:any@latest
inputs: {data: {type: uri_file}}
outputs: {out: {type: uri_file}}
"""
JOIN = """name: join
type: command
command: cat ${{{{inputs.d0}}}} > ${{{{outputs.out}}}}
environment: azureml:any@latest
inputs: {{{inputs}}}
outputs: {{out: {{type: uri_file}}}}
"""


def start_up(work: Path) -> list[Row]:
    """CPU time of `--help` and of a validation."""
    rows = []
    creditml = str(BIN / "creditml")
    for words, limit in (([creditml, "--help"], 0.060), ([creditml, "job", "validate", "-f", str(EXAMPLE)], 0.150)):
        env = environment(CREDITML_HOME=str(work / "none"))
        ours, floor = paired(
            lambda words=words, env=env: timed(words, work, env),
            lambda env=env: timed([sys.executable, "-c", "pass"], work, env),
            15,
        )
        cpu, base = median([r.cpu for r in ours]), median([r.cpu for r in floor])
        name = "creditml " + " ".join(words[1:3]).replace(" -f", "")
        rows.append(
            Row(
                f"{name} (CPU)",
                f"{cpu * 1e3:.0f} ms",
                f"python -c pass {base * 1e3:.0f} ms",
                f"{cpu / base:.1f}x",
                f"{limit * 1e3:.0f} ms",
                cpu <= limit,
            )
        )
    return rows


def write_steps(folder: Path) -> None:
    """The component that the graphs are made of."""
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "step.py").write_text(STEP)
    (folder / "step.py").write_text(STEP)
    (folder / "step.yml").write_text(COMPONENT)
    (folder / "start.txt").write_text("start")


def chain(work: Path, length: int = 50) -> list[Row]:
    """Steps one after the other."""
    write_steps(work)
    jobs, rules = [], []
    for n in range(length):
        source = "${{parent.inputs.data}}" if n == 0 else f"${{{{parent.jobs.s{n - 1}.outputs.out}}}}"
        jobs.append(f"  s{n}:\n    type: command\n    component: ./step.yml\n    inputs: {{data: '{source}'}}\n")
        rules.append(f"out{n}: {f'out{n - 1}' if n else 'start.txt'}\n\tpython step.py $< $@\n")
    return [against_make(work, f"chain of {length}", jobs, [f"all: out{length - 1}\n", *rules], length, 1)]


def wide(work: Path, width: int = 100) -> list[Row]:
    """Independent steps and a join, two at a time."""
    write_steps(work)
    jobs, rules = [], []
    for n in range(width):
        jobs.append(
            f"  s{n}:\n    type: command\n    component: ./step.yml\n"
            "    inputs: {data: '${{parent.inputs.data}}'}\n"
        )
        rules.append(f"out{n}: start.txt\n\tpython step.py $< $@\n")
    names = ", ".join(f"d{n}: {{type: uri_file}}" for n in range(width))
    (work / "join.yml").write_text(JOIN.format(inputs=names))
    given = ", ".join(f"d{n}: '${{{{parent.jobs.s{n}.outputs.out}}}}'" for n in range(width))
    jobs.append(f"  join:\n    type: command\n    component: ./join.yml\n    inputs: {{{given}}}\n")
    rules.append("join: " + " ".join(f"out{n}" for n in range(width)) + "\n\tcat out0 > $@\n")
    return [against_make(work, f"{width} and a join", jobs, ["all: join\n", *rules], width + 1, 2)]


def against_make(work: Path, what: str, jobs: list[str], rules: list[str], steps: int, parallel: int) -> Row:
    """The same commands by creditml and by GNU make, start-up included."""
    head = "type: pipeline\nsettings: {default_compute: serverless}\n"
    head += "inputs:\n  data: {type: uri_file, path: ./start.txt}\njobs:\n"
    (work / "pipeline.yml").write_text(head + "".join(jobs))
    (work / "Makefile").write_text("".join(rules))

    # each run in a new folder, for the same reason as below
    def ours() -> Run:
        env = environment(CREDITML_HOME=tempfile.mkdtemp(prefix="home-", dir=work))
        return timed([str(BIN / "creditml"), "run", "pipeline.yml", "--max-parallel", str(parallel)], work, env)

    def make() -> Run:
        folder = Path(tempfile.mkdtemp(prefix="make-", dir=work))
        for name in ("Makefile", "step.py", "start.txt"):
            shutil.copy(work / name, folder)
        return timed(["make", "-s", f"-j{parallel}"], folder, environment())

    mine, theirs = paired(ours, make, 11)
    extra = median([(a.wall - b.wall) / steps for a, b in zip(mine, theirs, strict=True)])
    ratio = median([a.wall / b.wall for a, b in zip(mine, theirs, strict=True)])
    a, b = median([r.wall for r in mine]), median([r.wall for r in theirs])
    return Row(
        f"{what} steps",
        f"{a:.2f} s",
        f"make {b:.2f} s",
        f"+{extra * 1e3:.1f} ms a step, {ratio:.2f}x",
        "+5 ms a step",
        extra <= 0.005,
    )


def two_steps(work: Path) -> list[Row]:
    """Two trivial steps in a fresh workspace."""
    write_steps(work)
    node = "    type: command\n    command: 'true'\n    environment: azureml:any@latest\n"
    (work / "pipeline.yml").write_text(
        f"type: pipeline\nsettings: {{default_compute: serverless}}\njobs:\n  a:\n{node}  b:\n{node}"
    )

    def ours() -> Run:
        shutil.rmtree(work / "home", ignore_errors=True)
        return timed(
            [str(BIN / "creditml"), "run", "pipeline.yml"], work, environment(CREDITML_HOME=str(work / "home"))
        )

    mine, floor = paired(ours, lambda: timed([sys.executable, "-c", "pass"], work, environment()), 9)
    wall, base = median([r.wall for r in mine]), median([r.wall for r in floor])
    return [
        Row(
            "two trivial steps",
            f"{wall:.2f} s",
            f"python -c pass {base:.2f} s",
            f"{wall / base:.1f}x",
            "0.3 s",
            wall <= 0.3,
        )
    ]


PLAN = """
import resource, sys, time
start = time.perf_counter()
from creditml.nodes.specs import read_job
from creditml.check import check
checked = check(read_job(sys.argv[1]).job)
assert len(checked.plan.steps) == int(sys.argv[2]), checked.problems
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def plan(work: Path, size: int = 10_000) -> list[Row]:
    """Read, check and plan a large pipeline."""
    write_steps(work)
    lines = [
        "type: pipeline",
        "settings: {default_compute: serverless}",
        "inputs:",
        "  data: {type: uri_file, path: ./start.txt}",
        "jobs:",
    ]
    for n in range(size):
        source = "${{parent.inputs.data}}" if n == 0 else f"${{{{parent.jobs.s{n - 1}.outputs.out}}}}"
        lines += [f"  s{n}:", "    type: command", "    component: ./step.yml", "    inputs:", f"      data: {source}"]
        lines += [
            "    outputs:",
            "      out: {type: uri_file, mode: upload}",
            "    environment_variables:",
            f"      N: '{n}'",
        ]
    (work / "pipeline.yml").write_text("\n".join(lines) + "\n")
    found = []
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-c", PLAN, "pipeline.yml", str(size)],
            cwd=work,
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        found.append([float(word) for word in done.stdout.split()])
    seconds, peak = median([f[0] for f in found]), max(f[1] for f in found)
    return [
        Row(f"plan of {size:,} nodes", f"{seconds:.2f} s", "", "", "2 s", seconds <= 2),
        Row(f"plan of {size:,} nodes, peak memory", f"{peak:.0f} MB", "", "", "200 MB", peak <= 200),
    ]


# On Linux `ru_maxrss` of a process begins with what the process that started it has.
MEMORY = """
import os, re, resource, sys
from creditml.cli import main
code = main(["run", "pipeline.yml", "--max-parallel", "2"])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if os.path.exists("/proc/self/status"):
    peak = int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1])
print("PEAK", peak / 1024)
sys.exit(code)
"""


def memory(work: Path) -> list[Row]:
    """The runner's own memory on the wide job."""
    wide_rows = wide(work)
    assert wide_rows
    done = subprocess.run(
        [sys.executable, "-c", MEMORY],
        cwd=work,
        env=environment(CREDITML_HOME=str(work / "home2")),
        capture_output=True,
        text=True,
        check=True,
    )
    peak = float(done.stdout.split("PEAK")[1])
    return [Row("runner's memory, 101 steps", f"{peak:.0f} MB", "", "", "40 MB", peak <= 40)]


def credit(work: Path, data: Path, rounds: int = 3) -> list[Row]:
    """The credit pipeline against its two scripts by hand."""
    prep, train = ROOT / "components/data_prep/src/main.py", ROOT / "components/train/src/main.py"

    def ours() -> Run:
        shutil.rmtree(work / "home", ignore_errors=True)
        command = [str(BIN / "creditml"), "run", str(EXAMPLE), "--set", f"inputs.pipeline_job_data_input.path={data}"]
        return timed(command, work, environment(CREDITML_HOME=str(work / "home")))

    def by_hand() -> Run:
        shutil.rmtree(work / "hand", ignore_errors=True)
        (work / "hand").mkdir()
        script = (
            f"python {prep} --data {data} --test_train_ratio 0.25 --train_data train --test_data test && "
            f"python {train} --train_data train --test_data test --n_estimators 100 --learning_rate 0.05 "
            "--registered_model_name credit_defaults_model --model model"
        )
        return timed(
            ["bash", "-c", script],
            work / "hand",
            environment(MLFLOW_TRACKING_URI="sqlite:///mlflow.db", MLFLOW_DISABLE_TELEMETRY="true"),
        )

    mine, hand = paired(ours, by_hand, rounds)
    ratio = median([a.wall / b.wall for a, b in zip(mine, hand, strict=True)])
    a, b = median([r.wall for r in mine]), median([r.wall for r in hand])
    return [Row("credit pipeline", f"{a:.1f} s", f"by hand {b:.1f} s", f"{ratio:.2f}x", "1.0x", ratio <= 1.0)]


BENCHMARKS: Mapping[str, Callable[[Path], list[Row]]] = {
    "start-up": start_up,
    "chain": chain,
    "wide": wide,
    "two-steps": two_steps,
    "plan": plan,
    "memory": memory,
    "connect": connect,
    "submit": submit,
}
LONG: Mapping[str, Callable[[Path], list[Row]]] = {
    "environments": environments,
    "containers": containers,
    "crowd": crowd,
}


def main() -> int:
    """Run benchmarks and print their table; 1 if a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *BENCHMARKS, *LONG, "credit"], default=[])
    parser.add_argument("--data", type=Path, help="the credit data")
    arguments = parser.parse_args()
    rows: list[Row] = []
    if "credit" in arguments.names and arguments.data is None:
        parser.error("credit needs --data FILE.csv")
    # removed at the end: ext4 makes files slowly for minutes where many were removed
    with tempfile.TemporaryDirectory(prefix="creditml-benchmark-") as folder:
        for name in arguments.names or BENCHMARKS:
            work = Path(folder).resolve() / name
            work.mkdir()
            rows += credit(work, arguments.data.resolve()) if name == "credit" else {**BENCHMARKS, **LONG}[name](work)
    header = Row("what", "measured", "floor", "against it", "bar", met=True)
    widths = [max(len(str(row[column])) for row in [header, *rows]) for column in range(5)]
    for row in [header, *rows]:
        mark = "" if row is header else "met" if row.met else "MISSED"
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row[:5], widths, strict=True)), mark)
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
