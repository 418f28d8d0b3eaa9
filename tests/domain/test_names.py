"""Names that are made up."""

from __future__ import annotations

import re
import uuid

from creditml.names import job_name, run_id


def test_a_job_name_has_the_form_of_the_sdks() -> None:
    names = [job_name() for _ in range(500)]

    assert all(re.fullmatch(r"[a-z]+_[a-z]+_[bcdfghjklmnpqrstvwxyz0-9]{10}", name) for name in names)
    assert len(set(names)) == len(names)
    assert len({name.rsplit("_", 1)[0] for name in names}) > 100


def test_a_run_id_is_a_random_guid() -> None:
    ids = [run_id() for _ in range(500)]

    assert {(uuid.UUID(text).version, uuid.UUID(text).variant) for text in ids} == {(4, uuid.RFC_4122)}
    assert all(str(uuid.UUID(text)) == text for text in ids)
    assert len(set(ids)) == len(ids)
    assert {text[19] for text in ids} == set("89ab")
