"""Who gets into MLflow's server and what they reach: its owner, steps that run, the owner's browser; nobody else."""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from creditml import tracking
from creditml.tracking.access import browser_key

if TYPE_CHECKING:
    from pathlib import Path

    from spaces import Space

    from creditml.tracking import Tracking

ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
API = "/api/2.0/mlflow"


class Answer(NamedTuple):
    """What the server answered."""

    status: int
    body: str
    headers: dict[str, str]


class House(NamedTuple):
    """A workspace with a server, and two jobs with a run each."""

    space: Space
    client: Tracking
    mine: str
    """The token of a step of the job `mine`, whose run is `my-step`."""

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Ask without any secret, unless the headers have one."""
        place = urlsplit(self.client.uri)
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=60)
        data = json.dumps(body) if isinstance(body, dict) else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, data, {"Content-Type": "application/json", **named})
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        connection.close()
        return Answer(answer.status, text, {name.lower(): value for name, value in answer.getheaders()})

    def step(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Ask as the step of the job `mine`."""
        return self.send(method, path, body, Authorization=f"Bearer {self.mine}", **headers)

    def owner(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Ask as the workspace's owner."""
        return self.send(
            method, path, body, Authorization=f"Bearer {tracking.owner_secret(self.space.root)}", **headers
        )

    def put(self, path: str, **headers: str) -> Answer:
        """Write a file as the step."""
        return self.step("PUT", f"{ARTIFACTS}/{path}", "written", **headers)


@pytest.fixture(scope="module")
def jobs(house: tuple[Space, Tracking]) -> House:
    space, client = house
    for job in ("mine", "other"):
        space.begin(job, run_id=job, artifact_uri=f"mlflow-artifacts:/{job}/artifacts")
        place = f"mlflow-artifacts:/{job}/steps/train/artifacts"
        space.begin("train", run_id=f"{job}-step", parent=job, root=job, artifact_uri=place)
        for folder in ("artifacts/notes", "wd", "outputs"):
            (space.root / "jobs" / job / "steps/train" / folder).mkdir(parents=True)
            (space.root / "jobs" / job / "steps/train" / folder / "a.txt").write_text(f"of {job}")
    return House(space, client, client.admit("mine-step", "mine"))


def file(jobs: House, path: str) -> Path:
    """A file of a job."""
    return jobs.space.root / "jobs" / path


RUNS_GET = f"{API}/runs/get?run_id=mine-step"


class TestWhoGetsIn:
    """Secrets, tokens and cookies."""

    @pytest.mark.parametrize(
        "authorization", ["", "Bearer", "Bearer x", "Basic x", "Bearer ~~~~", "Bearer 0~a~b~c", "é"]
    )
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", RUNS_GET),
            ("GET", "/"),
            ("GET", "/graphql"),
            ("GET", f"{ARTIFACTS}/mine/steps/train/artifacts/notes/a.txt"),
            ("PUT", f"{ARTIFACTS}/mine/steps/train/artifacts/x"),
            ("POST", f"{API}/experiments/create"),
        ],
    )
    def test_nobody_without_a_secret(self, jobs: House, authorization: str, method: str, path: str) -> None:
        refused = jobs.send(method, path, "{}", Authorization=authorization)
        assert (refused.status, json.loads(refused.body)["error_code"]) == (401, "UNAUTHENTICATED")
        assert not file(jobs, "mine/steps/train/artifacts/x").exists()

    def test_the_owner_and_the_step_as_clients_send_it(self, jobs: House) -> None:
        for secret in (tracking.owner_secret(jobs.space.root), jobs.mine):
            basic = base64.b64encode(f"anybody:{secret}".encode()).decode()
            for authorization in (f"Bearer {secret}", f"Basic {basic}"):
                assert jobs.send("GET", RUNS_GET, Authorization=authorization).status == 200

    def test_no_token_that_was_changed(self, jobs: House) -> None:
        number, run, root, digest = jobs.mine.split("~")
        for changed in (
            (number, run, "other", digest),
            (str(int(number) + 1), run, root, digest),
            ("9" * 5000, run, root),
        ):
            assert jobs.send("GET", RUNS_GET, Authorization=f"Bearer {'~'.join(changed)}").status == 401

    def test_a_token_ends_with_its_step_and_with_its_runner(self, jobs: House) -> None:
        space = jobs.space
        with tracking.Tracking(space.root) as runner:
            early = runner.admit("early", "job")
            runner.dismiss("early")  # before there is a server that could be told
            token, kept = runner.admit("one", "job"), runner.admit("two", "job")
            runner.start()
            space.until(lambda: runner.ready, runner)

            def status(token: str) -> int:
                return jobs.send("GET", RUNS_GET, Authorization=f"Bearer {token}").status

            assert (status(early), status(token), status(kept)) == (401, 200, 200)
            runner.dismiss("one")
            space.until(lambda: status(token) == 401, runner)
            assert (status(kept), status(runner.admit("three", "job"))) == (200, 200)
        space.until(lambda: status(kept) == 401)

    def test_the_browser_by_a_link_that_sets_a_cookie(self, jobs: House) -> None:
        key = browser_key(jobs.space.root)
        assert jobs.send("GET", "/?key=wrong").status == 401
        assert jobs.send("GET", RUNS_GET, Authorization=f"Bearer {key}").status == 401
        led = jobs.send("GET", f"/?key={key}")
        assert (led.status, led.headers["location"]) == (303, "/")
        cookie, *attributes = led.headers["set-cookie"].split("; ")
        assert {"HttpOnly", "SameSite=Lax"} <= set(attributes)
        assert "<title>MLflow</title>" in jobs.send("GET", "/", Cookie=f"a=b c; {cookie}; x").body
        same = {"Cookie": cookie, "Sec_Fetch_Site": "same-origin", "Origin": jobs.client.uri}
        assert jobs.send("GET", RUNS_GET, **same).status == 200

    @pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:{port}", "http://127.0.0.1:1", "null"])
    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
    def test_no_page_of_another_origin(self, jobs: House, origin: str, method: str) -> None:
        cookie = jobs.send("GET", f"/?key={browser_key(jobs.space.root)}").headers["set-cookie"].partition(";")[0]
        origin = origin.format(port=urlsplit(jobs.client.uri).port)
        for secret in ({"Cookie": cookie}, {"Authorization": f"Bearer {tracking.owner_secret(jobs.space.root)}"}):
            refused = jobs.send(method, f"{API}/experiments/create", {"name": "evil"}, Origin=origin, **secret)
            assert refused.status == 403
            assert "access-control-allow-origin" not in refused.headers
        assert (
            jobs.send("GET", RUNS_GET, Cookie=cookie, Sec_Fetch_Site="same-site", Sec_Fetch_Mode="no-cors").status
            == 403
        )

    def test_no_other_user_of_the_machine(self, jobs: House) -> None:
        if os.geteuid() != 0 or not shutil.which("setpriv"):
            pytest.skip("only root can act as somebody else")
        code = """
            import sys, urllib.error, urllib.request
            request = urllib.request.Request(sys.argv[1], b"evil", method="PUT")
            try:
                print(urllib.request.urlopen(request).status)
            except urllib.error.HTTPError as error:
                print(error.code)
            """
        as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-I", "-c"]
        url = f"{jobs.client.uri}{ARTIFACTS}/mine/steps/train/wd/train.py"
        done = subprocess.run([*as_nobody, textwrap.dedent(code), url], capture_output=True, text=True, check=False)
        assert done.stdout == "401\n", done.stderr
        assert not file(jobs, "mine/steps/train/wd/train.py").exists()


class TestArtifacts:
    """Only below the artifact folders of runs, and for steps of those of their own job."""

    @pytest.mark.parametrize(
        "place", ["wd", "outputs", "artifacts/../wd", "artifacts/%2e%2e/wd", "artifacts/%252e%252e/wd"]
    )
    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    @pytest.mark.parametrize("who", ["step", "owner"])
    def test_nothing_beside_them(self, jobs: House, place: str, method: str, who: str) -> None:
        asked = getattr(jobs, who)(method, f"{ARTIFACTS}/mine/steps/train/{place}/a.txt", "evil")
        assert asked.status in (400, 403, 404), asked
        assert file(jobs, "mine/steps/train/wd/a.txt").read_text() == "of mine"
        assert file(jobs, "mine/steps/train/outputs/a.txt").read_text() == "of mine"

    def test_a_step_writes_in_those_of_its_job(self, jobs: House) -> None:
        for path in ("mine/steps/train/artifacts/new/b.txt", "mine/artifacts/c.txt"):
            assert jobs.put(path).status == 200
            assert file(jobs, path).read_text() == "written"
        listed = jobs.step("GET", f"{ARTIFACTS}?path=mine/steps/train/artifacts/new")
        assert [found["path"] for found in json.loads(listed.body)["files"]] == ["b.txt"]

    def test_a_step_reads_those_of_other_jobs_and_changes_none(self, jobs: House) -> None:
        path = "other/steps/train/artifacts/notes/a.txt"
        assert jobs.step("GET", f"{ARTIFACTS}/{path}").body == "of other"
        for method in ("PUT", "DELETE"):
            assert jobs.step(method, f"{ARTIFACTS}/{path}", "evil").status == 403
        for action in ("create", "complete"):
            assert jobs.step("POST", f"/api/2.0/mlflow-artifacts/mpu/{action}/{path}", {"path": path}).status == 403
        assert file(jobs, path).read_text() == "of other"

    def test_no_link_leads_a_step_out(self, jobs: House, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("secret")
        link = file(jobs, "mine/steps/train/artifacts/link")
        link.symlink_to(tmp_path)
        assert jobs.step("GET", f"{ARTIFACTS}/mine/steps/train/artifacts/link/secret").status == 403
        for who in (jobs.step, jobs.owner):
            assert who("PUT", f"{ARTIFACTS}/mine/steps/train/artifacts/link/new", "evil").status == 403
        assert [path.name for path in tmp_path.iterdir()] == ["secret"]
        link.unlink()

    @pytest.mark.parametrize("field", ["artifact_location", "artifactLocation"])
    @pytest.mark.parametrize(
        "location",
        [
            "file:///tmp/evil",
            "/tmp/evil",
            "s3://bucket/x",
            "mlflow-artifacts:/mine",
            "mlflow-artifacts:/.mlflow/../mine",
        ],
    )
    @pytest.mark.parametrize("who", ["step", "owner"])
    def test_no_experiment_lies_outside(self, jobs: House, location: str, field: str, who: str) -> None:
        given: Any = {"name": f"evil {location} {field} {who}", field: location}
        for body in (given, json.dumps(json.dumps(given))):
            refused = getattr(jobs, who)("POST", f"{API}/experiments/create", body)
            assert (refused.status, json.loads(refused.body)["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
            assert location in refused.body


class TestRuns:
    """A step changes the runs of its own job, and those that its scripts made."""

    @pytest.mark.parametrize("name", ["run_id", "runId", "run_uuid"])
    def test_runs_of_its_job_and_no_others(self, jobs: House, name: str) -> None:
        metric = {"key": "loss", "value": 1, "timestamp": 1}
        for own in ("mine-step", "mine"):
            allowed = jobs.step("POST", f"{API}/runs/log-metric", {name: own, **metric})
            assert allowed.status == (400 if name == "runId" else 200)  # MLflow knows it, and wants the other
        refused = jobs.step("POST", f"{API}/runs/log-metric", {name: "other-step", **metric})
        assert refused.status == 403
        assert "other-step" in json.loads(refused.body)["message"]
        assert tracking.metrics(jobs.space.root, "other-step") == {}

    def test_runs_that_it_makes_without_a_word_about_the_step(self, jobs: House) -> None:
        forged = [{"key": "mlflow.creditml.step", "value": "other-step"}, {"key": "mine", "value": "yes"}]
        body = {"experiment_id": "0", "start_time": 1, "tags": forged}
        run_id = json.loads(jobs.step("POST", f"{API}/runs/create", body).body)["run"]["info"]["run_id"]
        assert jobs.space.tags(run_id)["mlflow.creditml.step"] == "mine-step"
        assert jobs.space.tags(run_id)["mine"] == "yes"
        assert jobs.step("POST", f"{API}/runs/set-tag", {"run_id": run_id, "key": "a", "value": "b"}).status == 200
        assert jobs.put(f".mlflow/0/{run_id}/artifacts/a.txt").status == 200
        other = jobs.space.create(jobs.client.uri)
        assert jobs.step("POST", f"{API}/runs/set-tag", {"run_id": other, "key": "a", "value": "b"}).status == 403
        assert jobs.put(f".mlflow/0/{other}/artifacts/a.txt").status == 403

    def test_logged_models(self, jobs: House) -> None:
        made = jobs.step("POST", f"{API}/logged-models", {"experiment_id": "0", "name": "m"})
        own = json.loads(made.body)["model"]["info"]["model_id"]
        body = {"experiment_id": "0", "name": "m", "source_run_id": "other-step"}
        assert jobs.step("POST", f"{API}/logged-models", body).status == 403
        other = json.loads(jobs.owner("POST", f"{API}/logged-models", body).body)["model"]["info"]["model_id"]
        for model, status in ((own, 200), (other, 403)):
            assert jobs.put(f".mlflow/0/models/{model}/artifacts/MLmodel").status == status
            finished = {"model_id": model, "status": "LOGGED_MODEL_READY"}
            assert jobs.step("PATCH", f"{API}/logged-models/{model}", finished).status == status
            assert jobs.step("GET", f"{API}/logged-models/{model}").status == 200

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/api/2.0/mlflow/experiments/delete"),
            ("POST", "/ajax-api/2.0/mlflow/upload-artifact?run_uuid=mine-step&path=x"),
            ("GET", "/ajax-api/2.0/mlflow/gateway-proxy"),
            ("POST", "/ajax-api/3.0/mlflow/assistant/message"),
            ("POST", "/ajax-api/3.0/mlflow/jobs/search"),
            ("POST", "/api/2.0/mlflow/webhooks"),
            ("POST", "/graphql"),
            ("GET", "/get-artifact?run_id=mine-step&path=notes/a.txt"),
            ("GET", "/"),
        ],
    )
    def test_what_is_the_owner_s(self, jobs: House, method: str, path: str) -> None:
        assert jobs.step(method, path, "{}").status == 403

    def test_no_model_is_registered_of_a_working_folder(self, jobs: House) -> None:
        body = {"name": "m", "source": "mlflow-artifacts:/other/steps/train/wd"}
        assert jobs.owner("POST", f"{API}/registered-models/create", {"name": "m"}).status == 200
        assert jobs.step("POST", f"{API}/model-versions/create", body).status == 403
        body |= {"source": "mlflow-artifacts:/other/steps/train/artifacts/notes", "run_id": "other-step"}
        assert jobs.step("POST", f"{API}/model-versions/create", body).status == 200
        assert jobs.step("DELETE", f"{API}/registered-models/delete", {"name": "m"}).status == 200
