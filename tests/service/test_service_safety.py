"""Attacks on the service: nobody without the secret, nothing outside the workspace, and it lives on."""

from __future__ import annotations

import base64
import json
import os
import ssl
import stat
import time
from http.client import HTTPSConnection
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlsplit

import pytest

from creditml.references import Scope
from creditml.service.blob_places import ARTIFACTS, BLOBSTORE, CONTENT
from creditml.service.call import Storage
from creditml.service.keys import Keys
from creditml.service.messages import Answer, Request
from creditml.service.service import Service
from creditml.workspace import Workspace
from creditml.workspace.records import JobRecord, now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCOPE = Scope("sub", "group", "ws")
CONTROL, STORE = "management.azure.com", "creditml.blob.core.windows.net"
REGISTRY = SCOPE.path.replace("/workspaces/", "/registries/")


class Target(NamedTuple):
    """A service, and a file beside its workspace that nobody may see."""

    service: Service
    root: Path
    secret_file: Path

    def ask(self, method: str, target: str, body: bytes = b"", *, host: str = CONTROL, **headers: str) -> Answer:
        """Ask with a good token, unless the headers say otherwise."""
        token = self.service.keys.token("https://management.azure.com").text
        given = {"authorization": f"Bearer {token}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return self.service.answer(Request(method, "https", host, target, given, body))


@pytest.fixture
def target(tmp_path: Path) -> Target:
    root = tmp_path / "workspace"
    outside = tmp_path / "secret.txt"
    outside.write_text("nobody sees this")
    workspace = Workspace(root).create()
    record = JobRecord("run", "command", "run", "e", "Completed", now(), spec={"type": "command", "command": "true"})
    with workspace.transaction():
        workspace.jobs.add(record)
    artifacts = workspace.jobs.folder(record) / "artifacts"
    artifacts.mkdir(parents=True)
    (artifacts / "log.txt").write_text("log")
    (artifacts / "link.txt").symlink_to(outside)
    (artifacts / "folder").symlink_to(tmp_path)
    workspace.data.datastore("workspaceblobstore").mkdir(parents=True)
    workspace.close()
    return Target(Service(root, Storage("creditml", "core.windows.net"), lambda: "http://127.0.0.1:1"), root, outside)


def code_of(answer: Answer) -> str:
    return str(json.loads(answer.body)["error"]["code"])


JOBS = f"{SCOPE.path}/jobs"


class TestWhoMayAsk:
    """Tokens and signatures."""

    @pytest.mark.parametrize(
        "authorization", ["", "Bearer", "Bearer x", "Bearer x.y.z", "Basic abc", "Bearer ..", "bearer é"]
    )
    def test_nobody_without_a_token(self, target: Target, authorization: str) -> None:
        refused = target.ask("GET", JOBS, authorization=authorization)
        assert (refused.status, code_of(refused)) == (401, "AuthenticationFailed")

    def test_nobody_with_a_token_of_another_workspace(self, target: Target, tmp_path: Path) -> None:
        other = Keys(tmp_path / "other").token("https://management.azure.com").text
        assert target.ask("GET", JOBS, authorization=f"Bearer {other}").status == 401

    def test_nobody_with_a_token_that_was_changed(self, target: Target) -> None:
        head, claims, signature = target.service.keys.token("x").text.split(".")
        decoded = json.loads(base64.urlsafe_b64decode(claims + "=="))
        longer = base64.urlsafe_b64encode(json.dumps({**decoded, "exp": 1 << 40}).encode()).rstrip(b"=").decode()
        assert target.ask("GET", JOBS, authorization=f"Bearer {head}.{longer}.{signature}").status == 401
        none = base64.urlsafe_b64encode(b'{"alg": "none"}').rstrip(b"=").decode()
        assert target.ask("GET", JOBS, authorization=f"Bearer {none}.{claims}.").status == 401

    def test_nobody_with_an_old_token(self, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
        token = target.service.keys.token("x")
        assert target.service.keys.accepts_token(token.text)
        monkeypatch.setattr(time, "time", lambda: token.expires + 1.0)
        assert not target.service.keys.accepts_token(token.text)

    def test_the_secret_is_this_users_alone(self, target: Target) -> None:
        target.service.keys.token("x")
        folder = target.root / "service"
        assert stat.S_IMODE((folder / "secret").stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert target.service.keys.token("x").text != Keys(target.root / "elsewhere").token("x").text

    def test_a_signature_is_for_one_blob_and_one_purpose_and_a_while(
        self, target: Target, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        storage, keys = target.service.storage, target.service.keys
        url = keys.signed_url(f"{storage.url}/{ARTIFACTS}/ExperimentRun/dcid.run/log.txt", storage.account)
        parts = urlsplit(url)
        signed = f"{parts.path}?{parts.query}"

        def ask(method: str, path: str) -> int:
            return target.ask(method, path, b"x", host=STORE, authorization="").status

        assert ask("GET", signed) == 200
        assert ask("PUT", signed) == 403
        assert ask("DELETE", signed) == 403
        assert ask("GET", signed.replace("log.txt", "other.txt")) == 403
        assert ask("GET", signed.replace("sp=r", "sp=rw")) == 403
        assert ask("GET", parts.path) == 403
        expiry = dict(pair.split("=") for pair in parts.query.split("&"))["se"][:4]
        assert ask("GET", signed.replace(f"se={expiry}", "se=2999")) == 403
        later = time.time() + 3 * 86400
        monkeypatch.setattr(time, "time", lambda: later)
        assert ask("GET", signed) == 403

    def test_a_signature_of_a_container_is_for_its_blobs_alone(self, target: Target) -> None:
        storage, keys = target.service.storage, target.service.keys
        container = "upload-" + "0" * 32
        query = urlsplit(keys.signed_url(f"{storage.url}/{container}", storage.account, "racwl")).query
        put = {"x_ms_blob_type": "BlockBlob", "authorization": ""}
        assert target.ask("PUT", f"/{container}/a.py?{query}", b"x", host=STORE, **put).status == 201
        assert target.ask("PUT", f"/{BLOBSTORE}/a.py?{query}", b"x", host=STORE, **put).status == 403

    @pytest.mark.parametrize(
        "authorization", ["SharedKey creditml:", "SharedKey creditml:x", "SharedKey", "SharedKey :"]
    )
    def test_nobody_with_a_wrong_shared_key(self, target: Target, authorization: str) -> None:
        target_path = f"/{ARTIFACTS}/ExperimentRun/dcid.run/log.txt"
        assert target.ask("GET", target_path, host=STORE, authorization=authorization).status == 403


OUTSIDE = [
    "ExperimentRun/dcid.run/../../../secret.txt",
    "ExperimentRun/dcid.run/..%2F..%2F..%2Fsecret.txt",
    "ExperimentRun/dcid.run/%2e%2e/%2e%2e/secret.txt",
    "ExperimentRun/dcid.run/..\\..\\secret.txt",
    "ExperimentRun/dcid.run/..%5C..%5Csecret.txt",
    "ExperimentRun/dcid.run//etc/passwd",
    "ExperimentRun/dcid.run/%2Fetc/passwd",
    "ExperimentRun/dcid.run/C:/x",
    "ExperimentRun/dcid.run/log.txt%00.png",
    "ExperimentRun/dcid.run/link.txt",
    "ExperimentRun/dcid.run/folder/secret.txt",
    "ExperimentRun/dcid.../secret.txt",
    "ExperimentRun/dcid.%2e%2e%2f/log.txt",
    "../../secret.txt",
    "Jobs/../../secret.txt",
    "Jobs/run/artifacts/link.txt",
    "Jobs/run/artifacts/folder/secret.txt",
    "./log.txt",
    "%2e/log.txt",
]


class TestPaths:
    """No name leads out of the workspace."""

    @pytest.mark.parametrize("blob", OUTSIDE)
    @pytest.mark.parametrize("container", [ARTIFACTS, BLOBSTORE, CONTENT, "datastore-x", "..", "%2e%2e", "upload-../x"])
    def test_nothing_outside_is_read_or_written(self, target: Target, container: str, blob: str) -> None:
        for method in ("GET", "HEAD"):
            found = target.ask(method, f"/{container}/{blob}", host=STORE)
            assert found.status >= 400
            assert b"nobody" not in found.body
        for query in ("", "?comp=metadata", "?comp=block&blockid=AA=="):
            target.ask("PUT", f"/{container}/{blob}{query}", b"changed", host=STORE, x_ms_blob_type="BlockBlob")
        target.ask("DELETE", f"/{container}/{blob}", host=STORE)
        assert target.secret_file.read_text() == "nobody sees this"
        beside = {path.name for path in target.root.parent.iterdir()}
        assert beside == {"workspace", "secret.txt"}

    @pytest.mark.parametrize("prefix", ["../", "ExperimentRun/dcid.run/../../", "Jobs/../", "/", "", "Jobs/"])
    @pytest.mark.parametrize("container", [ARTIFACTS, BLOBSTORE, CONTENT, ".."])
    def test_no_list_shows_what_is_outside(self, target: Target, container: str, prefix: str) -> None:
        query = f"restype=container&comp=list&prefix={quote(prefix)}"
        listed = target.ask("GET", f"/{container}?{query}", host=STORE)
        assert b"secret.txt" not in listed.body

    def test_what_a_job_has_written_cant_be_changed_through_the_list_of_jobs(self, target: Target) -> None:
        refused = target.ask(
            "PUT", f"/{ARTIFACTS}/Jobs/run/artifacts/log.txt", b"x", host=STORE, x_ms_blob_type="BlockBlob"
        )
        assert refused.status == 403

    @pytest.mark.parametrize(
        "name", ["..", "%2e%2e", "..%2f..", "a%2fb", "x;y", "x y", "ünïcode", "a" * 300, "-", "%00"]
    )
    def test_names_of_assets_and_jobs_stay_names(self, target: Target, name: str) -> None:
        body = json.dumps({"properties": {"dataType": "uri_file", "dataUri": "https://host/x"}}).encode()
        target.ask("PUT", f"{SCOPE.path}/data/{name}/versions/1", body)
        command = {"jobType": "Command", "command": "true", "environmentId": "azureml:e:1"}
        target.ask("PUT", f"{JOBS}/{name}", json.dumps({"properties": command}).encode())
        target.ask("PUT", f"{SCOPE.path}/datastores/{name}", b'{"properties": {"datastoreType": "AzureBlob"}}')
        assert {path.name for path in target.root.parent.iterdir()} == {"workspace", "secret.txt"}
        assert target.secret_file.read_text() == "nobody sees this"

    def test_code_is_taken_from_uploads_alone(self, target: Target) -> None:
        places = ["/azureml/x", f"/upload-{'0' * 32}/../../../..", "/content/../secret", "/upload-x/../.."]
        places += ["/content/..", "/content/", "/content/.", "/content//", "/content/%2e%2e", "/content/../content"]
        for uri in [*(f"https://{STORE}{place}" for place in places), "file:///etc", "/etc", "", "upload-x/../.."]:
            body = json.dumps({"properties": {"codeUri": uri}}).encode()
            refused = target.ask("PUT", f"{SCOPE.path}/codes/c/versions/1", body)
            assert refused.status in (400, 404), uri

    @pytest.mark.parametrize("code", ["..", ".", "%2e%2e", "../jobs"])
    def test_code_of_a_job_is_a_snapshot(self, target: Target, code: str) -> None:
        sent = {"jobType": "Command", "command": "true", "environmentId": "azureml:e:1"}
        for name in (f"azureml:{code}:1", f"{SCOPE.path}/codes/{code}/versions/1"):
            body = json.dumps({"properties": {**sent, "codeId": name}}).encode()
            assert target.ask("PUT", f"{JOBS}/j", body).status in (400, 404)

    @pytest.mark.parametrize("out", ["../../../../secret.txt", "..%2F..%2F..%2F..%2Fsecret.txt", "nothing"])
    def test_a_registry_takes_nothing_but_what_was_uploaded(self, target: Target, out: str) -> None:
        started = target.ask("PUT", f"{REGISTRY}/tempdatarefs/d/versions/1", b"{}")
        place = json.loads(started.body)["blobReferenceForConsumption"]
        path, query = urlsplit(place["blobUri"]).path, urlsplit(place["credential"]["sasUri"]).query
        put = {"x_ms_blob_type": "BlockBlob", "authorization": ""}
        assert target.ask("PUT", f"{path}/a.txt?{query}", b"x", host=STORE, **put).status == 201
        uri = f"{place['blobUri']}/{out}"
        sent = {
            "data": {"dataType": "uri_file", "dataUri": uri},
            "models": {"modelUri": uri},
            "environments": {"build": {"contextUri": uri}},
            "codes": {"codeUri": uri},
        }
        for plural, properties in sent.items():
            body = json.dumps({"properties": properties}).encode()
            assert target.ask("PUT", f"{REGISTRY}/{plural}/d/versions/1", body).status == 404
        body = json.dumps({"properties": {"dataType": "uri_file", "dataUri": f"{place['blobUri']}/a.txt"}}).encode()
        assert target.ask("PUT", f"{REGISTRY}/data/d/versions/1", body).status == 200
        assert target.secret_file.read_text() == "nobody sees this"

    @pytest.mark.parametrize("source", ["", "x", "/jobs/j/versions/1", "/data/nothing/versions/1"])
    def test_a_registry_is_given_nothing_that_isnt_there(self, target: Target, source: str) -> None:
        body = json.dumps({"properties": {"sourceAssetId": source}}).encode()
        assert target.ask("POST", f"{REGISTRY}/import", body).status in (400, 404)


class TestBodies:
    """What breaks is answered, and the service lives on."""

    @pytest.mark.parametrize(
        "body", [b"{", b"[]", b"null", b"\xff", b'{"properties": 5}', b'{"properties": {"tags": 5}}', b"{}"]
    )
    @pytest.mark.parametrize(
        "place",
        ["jobs/j", "data/d/versions/1", "components/c/versions/1", "environments/e/versions/1", "models/m/versions/1",
         "codes/c/versions/1", "computes/c", "datastores/d", "data/d"],
    )  # fmt: skip
    def test_bodies_that_are_none(self, target: Target, place: str, body: bytes) -> None:
        answer = target.ask("PUT", f"{SCOPE.path}/{place}", body)
        assert answer.status < 500, answer.body
        if answer.status >= 400:
            error = json.loads(answer.body)["error"]
            assert error["code"]
            assert error["message"]
            assert "Traceback" not in error["message"]
        assert target.ask("GET", JOBS).status == 200

    def test_bodies_have_a_limit(self, target: Target) -> None:
        assert target.ask("PUT", f"{JOBS}/j", b" " * (1 << 24) + b"{}").status == 413

    @pytest.mark.parametrize("open_bracket", [b"[", b'{"a":'])
    def test_bodies_have_a_depth(self, target: Target, open_bracket: bytes) -> None:
        for body in (open_bracket * 100_000, b'{"properties": ' + b"[" * 900 + b"]" * 900 + b"}"):
            refused = target.ask("PUT", f"{JOBS}/j", body)
            assert (refused.status, code_of(refused)) == (400, "BadArgument")
            assert "deeper" in json.loads(refused.body)["error"]["message"]

    def test_a_conda_file_whose_aliases_repeat_each_other_is_refused(self, target: Target) -> None:
        lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
        lines += [f"{c}: &{c} [{', '.join([f'*{p}'] * 9)}]" for p, c in zip("abcdefghi", "bcdefghij", strict=True)]
        body = json.dumps({"properties": {"image": "i", "condaFile": "\n".join(lines)}}).encode()
        refused = target.ask("PUT", f"{SCOPE.path}/environments/e/versions/1", body)
        assert refused.status == 400
        assert "aliases repeat" in json.loads(refused.body)["error"]["message"]

    def test_neither_an_answer_nor_the_log_shows_a_signature(
        self, target: Target, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> Answer:
            message = "https://host/x.csv?sv=1&sig=c2lnbmF0dXJl"
            raise RuntimeError(message)

        monkeypatch.setattr("creditml.service.blobs.serve", fail)
        answer = target.ask("GET", f"/{BLOBSTORE}/x.csv?sv=1&sig=c2lnbmF0dXJl", host=STORE)
        assert answer.status == 500
        assert b"https://host/x.csv?" in answer.body
        assert "x.csv" in caplog.text
        assert "c2lnbmF0dXJl" not in caplog.text + answer.body.decode()

    def test_a_list_of_blocks_has_no_entities(self, target: Target) -> None:
        names = [f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 9)]
        body = f'<!DOCTYPE b [<!ENTITY a0 "x">{"".join(names)}]><b><Latest>&a8;</Latest></b>'
        for encoding in ("utf-8", "utf-16"):
            refused = target.ask("PUT", f"/{BLOBSTORE}/x?comp=blocklist", body.encode(encoding), host=STORE)
            assert (refused.status, code_of(refused)) == (400, "InvalidXmlDocument")

    @pytest.mark.parametrize("body", [b"", b"<", b"<a/>", b"<BlockList><Latest>x</Latest></BlockList>"])
    def test_lists_of_blocks_that_are_none(self, target: Target, body: bytes) -> None:
        answer = target.ask("PUT", f"/{BLOBSTORE}/x?comp=blocklist", body, host=STORE)
        assert answer.status in (201, 400)

    @pytest.mark.parametrize("method", ["GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE"])
    @pytest.mark.parametrize("path", ["/", "/x", SCOPE.path + "/onlineEndpoints", "/subscriptions", "//", "/%"])
    def test_what_is_not_served_is_said(self, target: Target, method: str, path: str) -> None:
        refused = target.ask(method, path)
        assert refused.status == 501
        assert code_of(refused) == "NotImplemented"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HTTPSConnection]:
    from creditml.service.server import Server

    made = Server(tmp_path / "workspace")
    made.start()
    trust = ssl.create_default_context(cafile=str(made.certificates.authority))
    connection = HTTPSConnection("localhost", made.port, context=trust, timeout=20)
    yield connection
    connection.close()
    made.stop()


class TestServer:
    """Over TLS."""

    def status(self, server: HTTPSConnection, method: str, path: str, **headers: str) -> int:
        server.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = server.getresponse()
        answer.read()
        return answer.status

    @pytest.mark.parametrize("host", ["example.com", "localhost", "localhost:1", "127.0.0.1.example.com", "", "[::1]"])
    def test_no_other_host_is_served(self, server: HTTPSConnection, host: str) -> None:
        for path in ("/discovery", "/metadata/endpoints", "/identity/token", JOBS):
            assert self.status(server, "GET", path, Host=host) == 421

    def test_no_token_without_the_header(self, server: HTTPSConnection, tmp_path: Path) -> None:
        assert self.status(server, "GET", "/identity/token?resource=x") == 401
        assert self.status(server, "GET", "/identity/token?resource=x", X_IDENTITY_HEADER="x") == 401
        header = Keys(tmp_path / "workspace").header
        assert self.status(server, "GET", "/identity/token?resource=x", X_IDENTITY_HEADER=header) == 200
        assert self.status(server, "GET", JOBS) == 401

    def test_logging_in_is_answered_plainly(self, server: HTTPSConnection) -> None:
        for method, path, status in (
            ("GET", "/adfs/organizations/.well-known/openid-configuration", 200),
            ("POST", "/adfs/organizations/oauth2/token", 400),
        ):
            server.request(method, path)
            answer = server.getresponse()
            assert answer.status == status
            said = answer.read()
            assert b"DefaultAzureCredential" in said
            assert b"access_token" not in said

    def test_the_certificate_is_for_loopback_alone(self, server: HTTPSConnection, tmp_path: Path) -> None:
        from cryptography import x509

        folder = tmp_path / "workspace" / "service"
        authority = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
        allowed = authority.extensions.get_extension_for_class(x509.NameConstraints)
        assert allowed.critical
        assert [str(name.value) for name in allowed.value.permitted_subtrees or ()] == ["localhost", "127.0.0.1/32"]
        assert stat.S_IMODE((folder / "server.key").stat().st_mode) == 0o600
        assert len([file for file in folder.iterdir() if b"PRIVATE KEY" in file.read_bytes()]) == 1
        assert self.status(server, "GET", "/discovery") == 200

    def test_it_listens_on_loopback_alone(self, server: HTTPSConnection) -> None:
        port = f"{server.port:04X}"
        if not os.path.exists("/proc/net/tcp"):
            pytest.skip("looks at /proc")
        with open("/proc/net/tcp", encoding="ascii") as table:
            places = [line.split()[1] for line in table if f":{port} " in line and line.split()[3] == "0A"]
        assert places == [f"0100007F:{port}"]
