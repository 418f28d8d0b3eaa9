"""What is wrong with a component's own file is said where it stands, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from creditml.cli import main

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "type: command\nname: c\ncommand: echo ${{inputs.gone}}\nenvironment: azureml:e:1\n": ["3:10"],
    "name: c\ncommand: echo\nenvironment: azureml:e:1\ninputs:\n  n: {type: integer, default: x}\n": ["5:31"],
    "type: pipeline\nname: c\n": ["1:1"],
    "type: pipeline\nname: c\njobs: {}\n": ["3:1"],
    "type: pipeline\nname: c\njobs:\n  a: {component: ./c.yml, inputs: {n: '${{parent.inputs.k}}'}}\n": ["4:39"],
    "type: pipeline\nname: C\njobs:\n  a: {component: ./none.yml}\n": ["2:7", "4:18"],
}


@pytest.mark.parametrize("text", FILES)
def test_a_components_mistakes_have_places(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "component.yml").write_text(text, encoding="utf-8")
    (tmp_path / "c.yml").write_text(
        "command: echo\nenvironment: azureml:e:1\ninputs: {n: {type: integer}}\n", encoding="utf-8"
    )

    code = main(["component", "create", "-f", "component.yml"])

    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("component.yml:")]
    assert code == 1
    assert [":".join(line.split(":")[1:3]) for line in errors] == FILES[text]
