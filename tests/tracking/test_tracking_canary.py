"""What creditml relies on inside MLflow.

If one of these fails, MLflow has changed: look at drain, schema, server and store.
"""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from creditml.tracking import outbox, server, store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from spaces import Space

    from creditml.tracking import Tracking

RUN = outbox.Run("id", "name", "experiment", "1", "parent", "root", 1, "mlflow-artifacts:/x", {})
WRITTEN = {
    "experiments": "experiment_id name workspace artifact_location lifecycle_stage creation_time last_update_time",
    "runs": (
        "run_uuid name source_type source_name entry_point_name user_id status start_time end_time deleted_time "
        "source_version lifecycle_stage artifact_uri experiment_id"
    ),
    "tags": "key value run_uuid",
}


@pytest.fixture(scope="module")
def module() -> Callable[[str], Any]:
    """Imports a module, which may import MLflow: not while tests are collected, and without its warnings."""

    def load(name: str) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)

    return load


@pytest.fixture(scope="module")
def tables(module: Callable[[str], Any]) -> Mapping[str, Any]:
    module("mlflow.store.tracking.dbmodels.models")
    module("mlflow.store.model_registry.dbmodels.models")
    return module("mlflow.store.db.base_sql_model").Base.metadata.tables


def must_be_given(table: Any) -> set[str]:
    """The columns that have no value of their own accord."""
    return {column.name for column in table.columns if not (column.nullable or column.default or column.server_default)}


@pytest.mark.parametrize("table", WRITTEN)
def test_the_tables_that_are_written(tables: Mapping[str, Any], table: str) -> None:
    assert set(tables[table].columns.keys()) == set(WRITTEN[table].split())


def test_no_column_is_forgotten(module: Callable[[str], Any], tables: Mapping[str, Any]) -> None:
    row = module("creditml.tracking.drain")._run_row(RUN, 1)
    assert must_be_given(tables["experiments"]) <= {"experiment_id", "name"}
    assert must_be_given(tables["runs"]) <= row.keys() <= set(tables["runs"].columns.keys())
    assert must_be_given(tables["tags"]) <= {"key", "run_uuid", "value"}
    assert {column.name for column in tables["tags"].primary_key} == {"key", "run_uuid"}


@pytest.mark.parametrize("table", store.COLUMNS)
def test_the_tables_that_are_read(tables: Mapping[str, Any], table: str) -> None:
    assert set(store.COLUMNS[table].split(", ")) <= set(tables[table].columns.keys())


def test_constants(module: Callable[[str], Any]) -> None:
    entities = module("mlflow.entities")
    stages = module("mlflow.entities.model_registry.model_version_stages")
    tags = module("mlflow.utils.mlflow_tags")
    context = module("mlflow.tracking.context.system_environment_context")
    statuses = {entities.RunStatus.to_string(status) for status in entities.RunStatus.all_status()}
    assert statuses == {"RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"}
    assert entities.LoggedModelStatus.READY.to_int() == store._READY
    assert store._DELETED == stages.STAGE_DELETED_INTERNAL
    assert tags.MLFLOW_RUN_NAME == outbox.RUN_NAME_TAG
    assert tags.MLFLOW_PARENT_RUN_ID == outbox.PARENT_TAG
    assert context.MLFLOW_RUN_CONTEXT_ENV_VAR == "MLFLOW_RUN_CONTEXT"


def test_settings_are_known_to_mlflow(module: Callable[[str], Any]) -> None:
    constants = vars(module("mlflow.server")).values()
    known = {*vars(module("mlflow.environment_variables")), *(value for value in constants if isinstance(value, str))}
    given = {name for name in server.settings(Path("/")) if name.lstrip("_").startswith("MLFLOW")}
    assert given <= known


def test_the_server_is_one_process_that_talks_to_nobody(house: tuple[Space, Tracking]) -> None:
    space, client = house
    space.ask(client.uri, "/api/2.0/mlflow/experiments/get?experiment_id=0")
    process = psutil.Process(space.server())
    assert process.children() == []
    peers = {connection.raddr.ip for connection in process.net_connections("inet") if connection.raddr}
    assert {ip for ip in peers if not ip.startswith("127.")} == set()
