"""YAML is read as PyYAML's safe loader reads it, and every node knows where it stands."""

from __future__ import annotations

import datetime as dt
import re
import string
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from trees import walk

from creditml.errors import SpecError
from creditml.language.reader import open_document
from creditml.language.yaml import Document, List, Map, Scalar, from_plain, parse, plain, scalar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ODDITIES = (
    *("yes", "No", "ON", "off", "y", "n", "true", "TRUE", "tRue", "False", "null", "Null", "~", "", "nULL"),
    *("010", "0o7", "08", "0x1F", "0b1", "0b2", "1_000", "_1", "1__", "+1", "-0", "00", "0_", "0x_", "0b_", "-0x1"),
    *("12:30:45", "1:30", "1:60", "190:20:30.15", "-1:30", "01:30", "1:2:3:4", "1:", ":1"),
    *("1e5", "1e-5", "1.5e3", "1.5e+3", "1.0e-5", "1E400", "1.0E+400", ".5", "1.", ".", "-.5", "+.5", "._5", "1_0.5"),
    *(".inf", "-.INF", "+.inf", ".Inf", ".nan", ".NaN", ".NAN", "inf", "nan", "1e", "e1", "--1", "1-", "+-1"),
    *("2020-01-01", "2020-1-1", "2020-13-40", "2020-01-01T00:00:00Z", "2020-01-01 1:2:3.5 +5:30", "2020-01-01 +1"),
    *("0000-01-01", "0001-01-01T00:00:00+23:59", "2020-01-01T25:00:00Z", "2020-01-01T00:00:00+99:99", "=", "1" * 5000),
    *(":".join(["59"] * 400) + ".5", "1:" + ":".join(["59"] * 300), "${{parent.inputs.x}}", "a: b", "a #b", "*a"),
)
NUMBERLIKE = st.text("0123456789_.:+-eExXbo", min_size=1, max_size=12)
PLAIN = st.one_of(
    st.sampled_from(ODDITIES),
    NUMBERLIKE,
    st.from_regex(r"[-+]?(0b[01_]{1,9}|0x[0-9a-fA-F_]{1,9}|[0-9][0-9_]{0,9}(:[0-5]?[0-9]){0,3})", fullmatch=True),
    st.from_regex(r"[-+]?[0-9_]{0,4}\.[0-9_]{0,4}([eE][-+]?[0-9]{1,3})?", fullmatch=True),
    st.from_regex(
        r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
        r"([Tt ]+[0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]{0,7})? ?(Z|[-+][0-9]{1,2}(:[0-9]{2})?)?)?",
        fullmatch=True,
    ),
    st.from_regex(r"(?i)(true|false|yes|no|on|off|null|y|n)", fullmatch=True),
    st.text(string.printable, max_size=8),
)
CHARACTERS = st.characters(blacklist_categories=["Cs"])
TEXTS = st.one_of(st.text(CHARACTERS, max_size=12), st.sampled_from(ODDITIES), PLAIN)
KEYS = st.one_of(TEXTS, st.sampled_from(["<<", "=", "a", "b", "?", "- a"]))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.dates(),
    st.datetimes(timezones=st.sampled_from([dt.timezone.utc, None])),
    TEXTS,
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)
STYLES = st.fixed_dictionaries(
    {
        "default_flow_style": st.sampled_from([None, True, False]),
        "default_style": st.sampled_from([None, None, '"', "'", "|", ">"]),
        "allow_unicode": st.booleans(),
        "width": st.sampled_from([5, 80, 1000]),
        "indent": st.sampled_from([2, 4]),
        "explicit_start": st.booleans(),
    }
)
TOKENS = (
    *("a", "b: ", ": ", "- ", "? ", "\n", "\n  ", "[", "]", "{", "}", ", ", "&x ", "*x", "!!int ", "!t ", "'", '"'),
    *("<<: ", "|\n", ">-\n", "---\n", "...\n", "%YAML 1.1\n", "\t", "# c\n", "0x_", "2020-13-40", "=", "\\", "\r"),
    *("!!binary ", "!!timestamp ", "!!float ", "!!null ", "!!bool ", "!!map ", "!!seq ", "!!set ", "!!omap ", "!!str "),
)
SOUP = st.one_of(st.text(CHARACTERS), st.lists(st.sampled_from(TOKENS), max_size=25).map("".join))


def same(one: Any, other: Any) -> bool:
    """Equal in types too, NaN being itself and 0.0 not -0.0; `repr` tells all of that of plain values."""
    return repr(one) == repr(other)


def loaded_plain(text: str) -> tuple[bool, Any]:
    """Whether a text is one plain scalar, and what PyYAML makes of it; ValueError if it chokes on it."""
    try:
        node = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError:
        return False, None
    if not (isinstance(node, yaml.ScalarNode) and node.style is None and node.value == text):
        return False, None
    return True, yaml.safe_load(text)


@given(PLAIN)
@example(":".join(["59"] * 400) + ".5")
@example("0x_")
@example("=")
def test_a_plain_scalar_means_what_pyyaml_says(text: str) -> None:
    try:
        is_plain, expected = loaded_plain(text)
    except (ValueError, OverflowError, yaml.YAMLError):  # what PyYAML chokes on is an error here, with a place
        with pytest.raises(SpecError):
            parse(text, "f.yml")
        return
    if is_plain:
        assert same(scalar(text), expected)
        assert same(plain(parse(text, "f.yml").root), expected)


@given(VALUES, STYLES)
def test_what_pyyaml_dumps_is_read_as_pyyaml_reads_it(value: Any, style: dict[str, Any]) -> None:
    text = yaml.safe_dump(value, **style)

    assert same(plain(parse(text, "f.yml").root), yaml.safe_load(text))


@given(st.lists(VALUES, min_size=1, max_size=3), st.data())
def test_anchors_and_aliases_are_read_as_pyyaml_reads_them(shared: list[Any], data: st.DataObject) -> None:
    picks = data.draw(st.lists(st.sampled_from(range(len(shared))), min_size=1, max_size=6))
    text = yaml.safe_dump({f"k{n}": shared[pick] for n, pick in enumerate(picks)}, sort_keys=False)

    assert same(plain(parse(text, "f.yml").root), yaml.safe_load(text))


SMALL = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 9), max_size=3)


@st.composite
def merging(draw: st.DrawFn) -> str:
    """Mappings that merge earlier ones, alone and as lists, with `<<` in any place."""
    lines = []
    for number in range(draw(st.integers(1, 4))):
        entries = [f"{key}: {value}" for key, value in draw(SMALL).items()]
        earlier = [f"*m{n}" for n in range(number)]
        for _ in range(draw(st.integers(0, 2)) if earlier else 0):
            sources = draw(st.lists(st.sampled_from(earlier), min_size=1, max_size=3))
            merge = f"[{', '.join(sources)}]" if len(sources) > 1 or draw(st.booleans()) else f"{sources[0]} "
            entries.insert(draw(st.integers(0, len(entries))), f"<<: {merge}")
        lines.append(f"m{number}: &m{number} {{{', '.join(entries)}}}")
    return "\n".join(lines)


@given(merging())
@example("m0: &m0 {a: 0}\nm1: &m1 {a: 1}\nm2: {<<: *m1 , <<: *m0 }")
def test_merge_keys_are_read_as_pyyaml_reads_them(text: str) -> None:
    assert plain(parse(text, "f.yml").root) == yaml.safe_load(text)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), min_size=1, max_size=6))
def test_of_keys_given_twice_the_last_counts_with_a_warning(pairs: list[tuple[str, int]]) -> None:
    text = "".join(f"{key}: {value}\n" for key, value in pairs)

    document = parse(text, "f.yml")

    again = [line for line, (key, _) in enumerate(pairs, 1) if key in [k for k, _ in pairs[: line - 1]]]
    assert plain(document.root) == yaml.safe_load(text)
    assert [(w.place.line, w.place.column, w.warning) for w in document.warnings if w.place] == [
        (line, 1, True) for line in again
    ]


@given(VALUES, STYLES, st.sampled_from(["", "# ünïcödé 🚀\n\n", "--- # x\n"]))
def test_every_scalar_stands_where_it_says(value: Any, style: dict[str, Any], head: str) -> None:
    text = head + yaml.safe_dump(value, **{**style, "explicit_start": False})
    document = parse(text, "f.yml")

    for node in walk(document.root):
        if isinstance(node, Scalar):
            assert stands_at(text, node.line, node.column, node.text), (node.text, node.line, node.column)
        if isinstance(node, Map):
            for key, (line, column) in node.keys.items():
                assert stands_at(text, line, column, key), (key, line, column)


def stands_at(text: str, line: int, column: int, scalar_text: str) -> bool:
    """Whether a scalar with that text starts at that place."""
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)|(?<=[\x85\u2028\u2029])", text)
    rest = "".join(lines[line - 1 :])[column - 1 :]
    rest = re.sub(r"^(([&!]\S*|\?)\s+)+", "", rest)
    if rest[:1] in ("'", '"'):
        quoted = re.match(r"""(?s)'(?:[^']|'')*'|"(?:[^"\\]|\\.)*\"""", rest)
        return quoted is not None and str(yaml.safe_load("!!str " + quoted.group())) == scalar_text
    if rest[:1] in ("|", ">"):
        content = rest.partition("\n")[2].split()
        return not scalar_text.strip() or content[:1] == scalar_text.split()[:1]
    return not rest.strip() or rest.startswith(re.split(r"[ \n]", scalar_text, maxsplit=1)[0])


@given(SOUP)
@example("a: " + ":".join(["59"] * 400) + ".5")
@example("!!int ''")
@example("!!float ''")
@example("!!timestamp x")
@example("!!timestamp 2020-13-40")
@example("!!binary é")
@example("!!bool x")
@example("? [a]\n: b")
@example("a: &a [*a]")
@example("a: *b")
@example("<<: 1")
@example("<<: [1]")
@example("a: !!python/object:os.system x")
@example("\x00")
@example("[" * 5000)
@example("? " * 5000)
@example("- " * 5000)
@example("{a: " * 5000)
def test_any_text_is_read_or_is_a_spec_error(text: str) -> None:
    try:
        document = parse(text, "f.yml")
    except SpecError as error:
        assert all(p.place and p.place.line >= 1 and p.place.column >= 1 for p in error.problems)  # noqa: PT017
        assert error.problems  # noqa: PT017
    else:
        plain(document.root)


@given(
    st.one_of(st.binary(), SOUP.map(str.encode), st.tuples(SOUP.map(str.encode), st.binary(max_size=3)).map(b"".join))
)
@example("a: ü".encode("latin-1"))
@example("a: 1".encode("utf-16"))
@example(b"\xef\xbb\xbfa: 1")
def test_any_file_is_read_or_is_a_spec_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yml"
    path.write_bytes(content)
    try:
        document = open_document(path)
    except SpecError as error:
        assert all(p.place for p in error.problems)  # noqa: PT017
    else:
        assert all(node.line >= 1 and node.column >= 1 for node in walk(document.root))


@pytest.mark.parametrize(
    ("text", "line", "column", "word"),
    [
        ("a: 1\nb: [1, 2\n", 3, 1, "]"),
        ("a: b: c", 1, 5, "mapping values"),
        ("a:\n\tb: 1", 2, 1, "tab"),
        ("a: *b", 1, 4, "*b"),
        ("a: 1\n---\nb: 2", 2, 1, "second document"),
        ("a: &a\n  b: *a", 2, 6, "contains itself"),
        ("x: 1\na: !foo 3", 2, 4, "!foo"),
        ("x: 1\na: 2020-13-40", 2, 4, "2020-13-40"),
        ("x: 1\na: =", 2, 4, "="),
        ("x: 1\na: !!int x", 2, 4, "x"),
        ("? [a]\n: b", 1, 3, "key"),
        ("a: 1\n<<: 3", 2, 1, "<<"),
    ],
)
def test_bad_yaml_is_an_error_at_its_place(text: str, line: int, column: int, word: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text, "f.yml")

    (problem,) = caught.value.problems
    assert problem.place
    assert (problem.place.file, problem.place.line, problem.place.column) == ("f.yml", line, column), str(problem)
    assert word in problem.message
    assert not problem.warning


def test_what_is_not_utf_8_is_an_error_at_its_place(tmp_path: Path) -> None:
    path = tmp_path / "f.yml"
    path.write_bytes("a: 1\nname: prüfung".encode("latin-1"))

    with pytest.raises(SpecError) as caught:
        open_document(path)

    (problem,) = caught.value.problems
    assert problem.place
    assert (problem.place.line, problem.place.column) == (2, 9)


def test_a_block_stands_where_its_key_does() -> None:
    document = parse("jobs:\n  a:\n    inputs: {x: 1,\n      y: [2]}\n    list:\n    - 1\n", "f.yml")

    places = {name: (node.line, node.column) for name, node in named(document)}

    assert places == {
        "jobs": (1, 1),
        "jobs.a": (2, 3),
        "jobs.a.inputs": (3, 13),
        "jobs.a.inputs.x": (3, 17),
        "jobs.a.inputs.y": (4, 10),
        "jobs.a.list": (5, 5),
    }


def named(document: Document) -> Iterator[tuple[str, Any]]:
    """Every value of a mapping under its key path."""
    todo: list[tuple[str, Any]] = [("", document.root)]
    while todo:
        prefix, node = todo.pop(0)
        for key, child in node.items.items() if isinstance(node, Map) else ():
            yield prefix + key, child
            todo.append((f"{prefix}{key}.", child))


@given(VALUES)
def test_plain_values_make_a_tree_and_come_back(value: Any) -> None:
    tree = from_plain(value, 3, 7)

    assert same(plain(tree), value)
    assert all((node.line, node.column) == (3, 7) for node in walk(tree))
    assert all(isinstance(node, Scalar | List | Map) for node in walk(tree))
