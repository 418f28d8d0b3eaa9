"""Expressions and optional blocks: what is text, what is a reference, and what is put in their place."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from creditml.expressions import Optional, Reference, Template, parse, parse_command, references, render, single

PIECES = ["$", "{", "}", "[", "]", "${{", "}}", "$[[", "]]", ".", " ", "\t", "\n", "a", "é", "'", "inputs", "outputs"]
PIECES += ["parent", "jobs", "search_space", "name", "parent.inputs.x", "parent.jobs.a.outputs.o", "inputs.x"]
SOUP = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
WORDS = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,8}", fullmatch=True)
NAMES = st.lists(WORDS, min_size=1, max_size=3).map(".".join)
QUIET = st.text(st.characters(blacklist_characters="$[]{}", blacklist_categories=["Cs"]), min_size=1, max_size=12)
BLANKS = st.text(" \t\n", max_size=2)


def braced(inner: str, before: str, after: str) -> str:
    return f"${{{{{before}{inner}{after}}}}}"


@st.composite
def known(draw: st.DrawFn) -> Reference:
    """A reference that Azure ML knows, with its meaning."""
    name, job = draw(NAMES), draw(WORDS)
    kind = draw(st.sampled_from(["inputs", "outputs"]))
    inner, *meaning = draw(
        st.sampled_from(
            [
                (f"{kind}.{name}", kind, name, "", False),
                (f"search_space.{name}", "search_space", name, "", False),
                (f"parent.{kind}.{name}", kind, name, "", True),
                (f"parent.jobs.{job}.{kind}.{name}", kind, name, job, True),
                *((word, word, "", "", False) for word in ("name", "output_name", "default_datastore")),
            ]
        )
    )
    return Reference(braced(inner, draw(BLANKS), draw(BLANKS)), *meaning)


PARTS = st.lists(st.one_of(QUIET, known()), max_size=6).map(lambda parts: joined(tuple(parts)))
TEMPLATES = st.lists(st.one_of(QUIET, known(), PARTS.map(Optional)), max_size=6).map(lambda parts: joined(tuple(parts)))


def joined(template: Template) -> Template:
    """Neighbouring texts made one."""
    parts: list[str | Reference | Optional] = []
    for part in template:
        if isinstance(part, str) and parts and isinstance(parts[-1], str):
            parts[-1] += part
        else:
            parts.append(part)
    return tuple(parts)


def written(template: Template) -> str:
    """A template as text again."""
    return "".join(
        part if isinstance(part, str) else part.text if isinstance(part, Reference) else f"$[[{written(part.parts)}]]"
        for part in template
    )


@given(SOUP)
def test_any_text_is_its_parts_joined(text: str) -> None:
    parts = parse(text)

    assert written(parts) == text
    assert parts == joined(parts)
    assert "" not in parts
    assert render(parts, lambda reference: reference.text) == text


@given(SOUP)
def test_any_command_is_its_parts_joined(text: str) -> None:
    template = parse_command(text)

    assert written(template) == text
    assert "" not in template
    assert render(template, lambda reference: reference.text) == re.sub(r"(?s)\$\[\[(.*?)\]\]", r"\1", text)


@given(SOUP)
def test_only_a_whole_expression_is_single(text: str) -> None:
    reference = single(text)

    assert reference is None or (reference.text == text.strip() and list(references(text)) == [reference])


@given(TEMPLATES)
def test_what_was_put_together_is_taken_apart(template: Template) -> None:
    assert parse_command(written(template)) == template


@given(PARTS)
def test_references_are_found_in_order(parts: Template) -> None:
    wanted = [part for part in parts if isinstance(part, Reference)]

    assert list(references(written(parts))) == wanted
    assert list(references(f"a $[[{written(parts)}]] b")) == wanted


@given(known())
def test_a_reference_alone_is_a_binding(reference: Reference) -> None:
    assert single(reference.text) == reference
    assert single(f"  {reference.text}\n") == reference
    assert single(f"{reference.text}/x") is None
    assert single(f"{reference.text}{reference.text}") is None


@given(TEMPLATES, st.dictionaries(WORDS, st.one_of(st.none(), st.text(max_size=5)), max_size=4), st.data())
def test_blocks_stay_only_if_all_inside_have_values(
    template: Template, values: dict[str, str | None], data: st.DataObject
) -> None:
    choice = st.sampled_from([None, "", *values.values()])
    texts: dict[str, str | None] = {}

    def value(reference: Reference) -> str | None:
        if reference.text not in texts:
            texts[reference.text] = data.draw(choice)
        return texts[reference.text]

    def expected(parts: Template) -> str:
        text = ""
        for part in parts:
            if isinstance(part, str):
                text += part
            elif isinstance(part, Reference):
                text += value(part) or ""
            elif all(value(inner) is not None for inner in part.parts if isinstance(inner, Reference)):
                text += expected(part.parts)
        return text

    assert render(template, value) == expected(template)


@pytest.mark.parametrize(
    "text",
    [
        "${{}}",
        "${{ }}",
        "${{inputs}}",
        "${{parent}}",
        "${{parent.inputs}}",
        "${{parent.name}}",
        "${{parent.search_space.x}}",
        "${{parent.jobs.a}}",
        "${{parent.jobs.a.outputs}}",
        "${{parent.jobs..outputs.x}}",
        "${{parent.jobs..inputs.x}}",
        "${{parent.parent.inputs.x}}",
        "${{jobs.a.outputs.o}}",
        "${{Inputs.x}}",
        "${{name.x}}",
        "${{.inputs.x}}",
    ],
)
def test_what_azure_ml_does_not_know_has_no_kind(text: str) -> None:
    assert single(text) == Reference(text)


@pytest.mark.parametrize("text", ["${{inputs. x}}", "${{inputs x}}", "${ {inputs.x}}", "${{inputs.x}", "{{inputs.x}}"])
def test_what_is_no_expression_stays_text(text: str) -> None:
    assert parse(text) == (text,)


@pytest.mark.parametrize(
    ("command", "values", "rendered"),
    [
        ("run $[[--a ${{inputs.a}}]] end", {}, "run  end"),
        ("run $[[--a ${{inputs.a}}]] end", {"a": "1"}, "run --a 1 end"),
        ("run $[[--a=${{inputs.a}}]]", {"a": ""}, "run --a="),
        ("run $[[--a ${{inputs.a}} --b ${{inputs.b}}]]", {"a": "1"}, "run "),
        ("run $[[\n--a ${{inputs.a}}\n]]", {"a": "1"}, "run \n--a 1\n"),
        ("run $[[no input]]", {}, "run no input"),
        ("run ${{inputs.a}}|${{inputs.b}}", {"b": "${{inputs.a}} $(x)"}, "run |${{inputs.a}} $(x)"),
        ("if [[ -f x ]]; then echo $[[${{inputs.a}}]]; fi", {"a": "1"}, "if [[ -f x ]]; then echo 1; fi"),
    ],
)
def test_commands_are_rendered_without_quoting(command: str, values: dict[str, str], rendered: str) -> None:
    assert render(parse_command(command), lambda reference: values.get(reference.name)) == rendered
