"""Azure ML's names: what is built is read back as what it was built from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from creditml.asset_kinds import ASSET_KINDS
from creditml.references import (
    LOCAL,
    ArtifactPath,
    DatastorePath,
    Id,
    OutputPath,
    Reference,
    Scope,
    Upload,
    artifact_path,
    artifacts_uri,
    bare,
    code_digest,
    code_reference,
    datastore_uri,
    is_artifacts_uri,
    is_digest,
    is_long,
    is_named,
    is_reference,
    is_uri,
    named,
    output_asset_id,
    output_uri,
    parse_artifact_path,
    parse_datastore,
    parse_id,
    parse_named,
    parse_output,
    parse_output_asset_id,
    parse_reference,
    parse_stored_output,
    parse_upload,
    prefixed,
    reference,
    registry_uri,
    resource_name,
    short_uri,
    stored_output_path,
    stored_output_uri,
    upload_uri,
)

words = st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,30}", fullmatch=True)
paths = st.lists(words, max_size=4).map("/".join)
tails = st.one_of(
    st.tuples(words, st.none()),
    st.tuples(st.none(), words),
)
scopes = st.builds(Scope, words, words, words, registry=st.just(""))


@given(words, tails | st.just((None, None)))
def test_a_reference(name: str, tail: tuple[str | None, str | None]) -> None:
    text = reference(name, *tail)

    assert parse_reference(text) == parse_named(text) == Reference(name, *tail)
    assert is_reference(text)
    assert is_named(text)
    assert not is_uri(text)
    assert named(bare(text)) == named(text) == text
    assert text == named(Reference(name, *tail).short)


@given(words, st.sampled_from(sorted(ASSET_KINDS)), words, tails)
def test_an_asset_of_a_registry(registry: str, kind: str, name: str, tail: tuple[str | None, str | None]) -> None:
    uri = registry_uri(registry, kind, name, *tail)

    assert parse_reference(uri) == Reference(name, *tail, registry, kind)
    assert parse_named(uri) is None
    assert is_uri(uri)
    assert is_long(uri)
    for text in (uri, prefixed(uri)):  # component specs have `azureml:` before it
        found = parse_id(text)
        assert found == Id(ASSET_KINDS[kind].plural, name, *tail, registry)
        assert found.reference == uri


@given(scopes, st.sampled_from(["codes", "components", "computes", "data"]), words, st.none() | words)
def test_an_id_of_a_workspace(scope: Scope, kind: str, name: str, version: str | None) -> None:
    text = scope.id(kind, name, version)

    for known in (text, prefixed(text)):
        found = parse_id(known)
        assert found == Id(kind, name, version)
        assert found.reference == reference(name, version)
        assert resource_name(known) == (version or name)
    assert is_long(prefixed(text))
    assert version is None or parse_reference(text) == Reference(name, version)
    assert parse_named(prefixed(text)) is None


@given(words, words, words)
def test_an_id_of_a_registry_is_that_of_its_asset(registry: str, name: str, version: str) -> None:
    scope = LOCAL._replace(registry=registry)

    assert scope.id("components", name, version) == registry_uri(registry, "component", name, version)


@given(words, paths, scopes)
def test_data_in_a_datastore(datastore: str, path: str, scope: Scope) -> None:
    uri = datastore_uri(datastore, path)
    long = scope.uri(uri)

    assert parse_datastore(uri) == DatastorePath(datastore, path)
    found = parse_datastore(long)
    assert found is not None
    assert found[:2] == (datastore, path)
    assert scope.holds(found.within)
    assert not scope._replace(workspace=f"{scope.workspace}x").holds(found.within)
    assert short_uri(long) == short_uri(uri) == uri
    assert parse_output(uri) is parse_reference(uri) is None


@given(words, words, paths, scopes)
def test_data_that_a_job_wrote(job: str, output: str, path: str, scope: Scope) -> None:
    uri = output_uri(job, output, path)
    within = scope.path.removeprefix("/")

    assert scope.holds(f"{within}/")
    assert parse_output(uri) == OutputPath(job, output, path)
    assert parse_output(uri.replace("//jobs", f"//{within}/jobs")) == OutputPath(job, output, path, f"{within}/")
    assert parse_datastore(uri) is parse_reference(uri) is None


@given(words, words)
def test_an_output_in_the_default_datastore(job: str, output: str) -> None:
    path = stored_output_path(job, output)

    assert parse_datastore(stored_output_uri(job, output)) == DatastorePath("workspaceblobstore", path)
    assert parse_stored_output(path) == OutputPath(job, output)
    assert parse_stored_output(f"{path}a/b.csv") == OutputPath(job, output, "a/b.csv")


@given(st.from_regex(r"[0-9a-f]{32}|[0-9a-f]{64}", fullmatch=True), words)
def test_an_upload(digest: str, name: str) -> None:
    uri = upload_uri(digest, name)

    assert parse_upload(uri) == parse_upload(LOCAL.uri(uri)) == Upload(digest, name)
    assert parse_upload(f"https://account.blob.core.windows.net/container/LocalUpload/{digest}") == Upload(digest)
    assert parse_upload(datastore_uri("workspaceblobstore", f"Other/{digest}/{name}")) is None


@given(st.from_regex(r"[0-9a-f]{64}", fullmatch=True), scopes)
def test_code_is_named_by_its_content(digest: str, scope: Scope) -> None:
    assert is_digest(digest)
    assert code_digest(code_reference(digest)) == digest
    assert code_digest(scope.id("codes", digest, "1")) == digest
    assert code_digest(prefixed(scope.id("codes", digest, "1"))) == digest


@given(words, paths)
def test_artifacts_of_a_run(run: str, path: str) -> None:
    assert parse_artifact_path(artifact_path(run, path)) == ArtifactPath(run, path)
    assert is_artifacts_uri(artifacts_uri(run))
    assert not is_artifacts_uri(datastore_uri("workspaceartifactstore", artifact_path(run, path)))


@given(words, words)
def test_an_output_as_the_run_history_tells_of_it(run: str, output: str) -> None:
    assert parse_output_asset_id(output_asset_id(run, output)) == OutputPath(run, output)


@pytest.mark.parametrize("text", ["cluster", "azureml:cluster", LOCAL.id("computes", "cluster")])
def test_a_compute_is_named_in_three_ways(text: str) -> None:
    assert resource_name(text) == "cluster"


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("azureml:d:1", Reference("d", "1")),
        ("azureml:d@latest", Reference("d", None, "latest")),
        ("azureml:d", Reference("d")),
        ("azureml:my-data.v2:2024-01-01", Reference("my-data.v2", "2024-01-01")),
        (
            "/subscriptions/0-0/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/data/d/versions/1",
            Reference("d", "1"),
        ),
        (
            "azureml:/subscriptions/0/resourceGroups/g/providers/x/workspaces/w/models/m/labels/latest",
            Reference("m", None, "latest"),
        ),
        ("azureml://datastores/workspaceblobstore/paths/x", None),
        ("azureml://registries/r/models/m/versions/1", Reference("m", "1", None, "r", "model")),
        ("azureml://registries/r/data/d/labels/latest", Reference("d", None, "latest", "r", "data")),
        ("azureml://registries/r/data/d", None),
        ("azureml://registries/r/codes/c/versions/1", None),
        ("azureml::1", None),
        ("azureml:d:", None),
        ("azureml:d:1:2", None),
        ("d:1", None),
        ("", None),
    ],
)
def test_references_are_read_as_azure_does(text: str, reference: Reference | None) -> None:
    assert parse_reference(text) == reference
