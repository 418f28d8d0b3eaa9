"""One client of `crowd.py`: arguments `CLIENT JOBS`; it starts when it gets a line, and prints what it got.

Between its jobs it registers assets without a version, under names that all clients use. For each kind of asset there
is one name for which each client has its own content, and one for which all clients have the same content.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

from azure.ai.ml import Input, MLClient, command, dsl
from azure.ai.ml.entities import Data, Environment, Model
from azure.identity import DefaultAzureCredential

ENVIRONMENT = "azureml:python:1"


def written(path: str, text: str) -> str:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return path


def pipeline(word: str, code: str) -> Any:
    """One step, whose component and code have no name."""
    step = command(
        command=f"bash say.sh ${{{{inputs.word}}}} {word}",
        code=code,
        inputs={"word": Input(type="string")},
        environment=ENVIRONMENT,
    )

    @dsl.pipeline(compute="serverless")
    def saying() -> None:
        step(word=word)

    return saying()


def component(name: str, word: str) -> Any:
    return command(name=name, command=f"echo {word}", environment=ENVIRONMENT).component


def environment(word: str) -> Environment:
    return Environment(name="environment", image="python:3.12", conda_file={"name": word, "dependencies": ["pip"]})


def main(client: str, jobs: int) -> None:
    logging.getLogger("azure").setLevel(logging.ERROR)
    ml = MLClient(DefaultAzureCredential(), "any", "group", "workspace", show_progress=False)
    same = written("same.txt", "same")
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(jobs):
        word = f"{client}-{number}"
        code = str(Path(written(f"{word if number % 2 else 'src'}/say.sh", "echo $1 $2\n")).parent)
        job = ml.jobs.create_or_update(pipeline(word, code), experiment_name="crowd")
        own = written(f"{word}.txt", word)
        made = {
            "own component": ml.components.create_or_update(component("own", word)),
            "same component": ml.components.create_or_update(component("same", "same")),
            "own data": ml.data.create_or_update(Data(name="own", path=own, type="uri_file")),
            "same data": ml.data.create_or_update(Data(name="same", path=same, type="uri_file")),
            "own model": ml.models.create_or_update(Model(name="own", path=own)),
            "own environment": ml.environments.create_or_update(environment(word)),
        }
        print(
            json.dumps(
                {"job": job.name, "word": word, "versions": {what: asset.version for what, asset in made.items()}}
            ),
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
