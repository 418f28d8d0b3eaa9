"""The table of parity against the genuine SDK's schemas, and the page that is made of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from creditml.nodes.later import LATER_COMPONENTS, LATER_JOBS
from creditml.nodes.table import node_types
from creditml.parity import FATES, page, sections

if TYPE_CHECKING:
    from project import Json

ROOT = Path(__file__).parents[2]
JOB, PIPELINE, COMPONENT = "azure.ai.ml._schema.job", "azure.ai.ml._schema.pipeline", "azure.ai.ml._schema.component"
SCHEMAS = [
    ("pipeline_job", f"{PIPELINE}.pipeline_job", "PipelineJobSchema"),
    ("settings", f"{PIPELINE}.settings", "PipelineJobSettingsSchema"),
    ("command_job", f"{JOB}.command_job", "CommandJobSchema"),
    ("command_node", f"{PIPELINE}.component_job", "CommandSchema"),
    ("command_node", f"{PIPELINE}.pipeline_command_job", "PipelineCommandJobSchema"),
    ("pipeline_node", f"{PIPELINE}.pipeline_component", "PipelineSchema"),
    ("command_component", f"{COMPONENT}.command_component", "CommandComponentSchema"),
    ("command_component", f"{COMPONENT}.command_component", "AnonymousCommandComponentSchema"),
    ("pipeline_component", f"{PIPELINE}.pipeline_component", "PipelineComponentSchema"),
    ("input", f"{JOB}.input_output_entry", "DataInputSchema"),
    ("input", f"{JOB}.input_output_entry", "ModelInputSchema"),
    ("input", f"{JOB}.input_output_entry", "MLTableInputSchema"),
    ("input", f"{JOB}.input_output_entry", "InputLiteralValueSchema"),
    ("output", f"{JOB}.input_output_entry", "OutputSchema"),
    ("component_input", f"{COMPONENT}.input_output", "InputPortSchema"),
    ("component_input", f"{COMPONENT}.input_output", "ParameterSchema"),
    ("component_output", f"{COMPONENT}.input_output", "OutputPortSchema"),
    ("component_output", f"{COMPONENT}.input_output", "PrimitiveOutputSchema"),
    ("environment", "azure.ai.ml._schema.assets.environment", "EnvironmentSchema"),
    ("environment", "azure.ai.ml._schema.assets.environment", "AnonymousEnvironmentSchema"),
    ("build", "azure.ai.ml._schema.assets.environment", "BuildContextSchema"),
    ("resources", f"{COMPONENT}.resource", "ComponentResourceSchema"),
    ("resources", "azure.ai.ml._schema.job_resource_configuration", "JobResourceConfigurationSchema"),
    *(
        ("distribution", f"{JOB}.distribution", f"{name}DistributionSchema")
        for name in ("MPI", "TensorFlow", "PyTorch", "Ray")
    ),
    ("limits", f"{JOB}.job_limits", "CommandJobLimitsSchema"),
    *(("identity", f"{JOB}.identity", f"{name}IdentitySchema") for name in ("AMLToken", "Managed", "User")),
    *(
        ("service", f"{JOB}.services", f"{name}JobServiceSchema")
        for name in ("", "Ssh", "TensorBoard", "VsCode", "JupyterLab")
    ),
    ("queue_settings", "azure.ai.ml._schema.queue_settings", "QueueSettingsSchema"),
]
NOT_OF_YAML = {"schema_ignored", "schema"}
"""How the SDK calls `$schema`."""


def schema(module: str, name: str) -> Json:
    import importlib

    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize(("section", "module", "name"), SCHEMAS, ids=[name for _, _, name in SCHEMAS])
def test_every_field_of_the_sdk_s_schema_is_in_the_table(section: str, module: str, name: str) -> None:
    declared = {field.data_key or key for key, field in schema(module, name)._declared_fields.items()} - NOT_OF_YAML

    missing = declared - set(sections()[section].fields) - {"$schema"}

    assert not missing
    assert declared


def test_every_section_is_compared_with_a_schema() -> None:
    assert {section for section, _, _ in SCHEMAS} == set(sections())


def test_every_schema_that_the_sdk_reaches_from_a_job_is_compared() -> None:
    """What nests in a command or pipeline job, but for what nests in types of jobs and nodes that are refused."""
    from marshmallow import Schema, fields

    compared = {schema(module, name) for _, module, name in SCHEMAS}

    def nested(field: Json) -> Json:
        if isinstance(field, fields.Nested):
            yield field.nested if isinstance(field.nested, type) else type(field.nested)
        for inner in (
            *getattr(field, "union_fields", ()),
            *(getattr(field, name, None) for name in ("inner", "value_field", "key_field")),
        ):
            if isinstance(inner, fields.Field):
                yield from nested(inner)

    found = {
        inner
        for known in compared
        for key, field in known._declared_fields.items()
        if not field.dump_only and key not in ("jobs", "component")
        for inner in nested(field)
    }

    names = {inner.__name__ for inner in found if isinstance(inner, type) and issubclass(inner, Schema)}
    known = {inner.__name__ for inner in compared}
    # what only the service answers or another schema of the table stands for
    apart = {"CreationContextSchema", "AutoDeleteSettingSchema", "IntellectualPropertySchema"}
    apart |= {"InferenceConfigSchema", "RouteSchema"}
    assert names - known - apart == set()


def test_every_type_of_job_and_node_is_in_the_table() -> None:
    from azure.ai.ml.constants import JobType
    from azure.ai.ml.constants._component import (
        ControlFlowType,
        NodeType,
    )

    def words(kind: type) -> set[str]:
        return {value for key, value in vars(kind).items() if not key.startswith("_") and isinstance(value, str)}

    assert words(JobType) - {"component", "base"} <= {*node_types(), *LATER_JOBS}
    assert words(NodeType) | words(ControlFlowType) <= {*node_types(), *LATER_COMPONENTS}


def test_every_fate_is_one_of_four_and_says_how() -> None:
    for section in sections().values():
        for key, field in section.fields.items():
            for fate in (field.fate, *field.values.values(), *([field.docker] if field.docker else [])):
                assert fate.word in FATES
                assert fate.how or fate.word == "emulated", f"{section.title}: {key}"


def test_the_page_of_the_docs_is_made_of_the_table() -> None:
    shown = (ROOT / "docs" / "parity.md").read_text(encoding="utf-8")

    assert shown == page(), "creditml parity --docs > docs/parity.md"
