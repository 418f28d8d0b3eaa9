"""Every error of Azure's SDK is one of ours: a plain sentence, what to do next, and no secret."""

from __future__ import annotations

import inspect
import ssl
from types import SimpleNamespace
from typing import Any

import azure.core.exceptions as core
import pytest
import requests.exceptions
import urllib3.exceptions

from creditml.errors import (
    AuthenticationFailed,
    BackendError,
    BackendUnavailable,
    Conflict,
    CreditMLError,
    NotFound,
    SpecError,
    Unsupported,
)
from creditml_azureml.errors import translated

EXPECTED = {
    AuthenticationFailed: "ClientAuthenticationError CredentialUnavailableError AuthenticationRequiredError",
    NotFound: "ResourceNotFoundError LocalEndpointNotFoundError RequiredLocalArtifactsNotFoundError",
    Conflict: "ResourceExistsError ResourceModifiedError ResourceNotModifiedError AssetPathException",
    SpecError: (
        "ValidationException ComponentException EmptyDirectoryError UserErrorException CannotSetAttributeError "
        "UnsupportedParameterKindError KeywordError UnexpectedKeywordError UnexpectedAttributeError "
        "MissingPositionalArgsError TooManyPositionalArgsError MultipleValueError ParamValueNotExistsError"
    ),
    Unsupported: "CloudArtifactsNotSupportedError",
    BackendUnavailable: (
        "ServiceRequestError ServiceResponseError ServiceRequestTimeoutError ServiceResponseTimeoutError "
        "IncompleteReadError DockerEngineNotAvailableError"
    ),
    BackendError: (
        "AzureError HttpResponseError DecodeError TooManyRedirectsError ODataV4Error StreamConsumedError "
        "StreamClosedError ResponseNotReadError SerializationError DeserializationError MlException "
        "DeploymentException JobException ModelException AssetException ScheduleException "
        "LocalEndpointInFailedStateError MultipleLocalDeploymentsFoundError InvalidLocalEndpointError "
        "LocalEndpointImageBuildError JobParsingError PipelineChildJobError InvalidVSCodeRequestError "
        "VSCodeCommandNotFound LocalDeploymentGPUNotAvailable PartialBatchErrorException"
    ),
}
KINDS: dict[str, type[CreditMLError]] = {name: kind for kind, names in EXPECTED.items() for name in names.split()}
KINDS["UnsupportedOperationError"] = Unsupported


@pytest.fixture(scope="module")
def of_the_sdk() -> dict[str, type[Exception]]:
    """All classes of errors that it has, by name."""
    import azure.ai.ml.exceptions as ml
    from azure import identity
    from azure.storage import blob

    classes = [each for module in (core, identity, ml, blob) for each in vars(module).values() if inspect.isclass(each)]
    return {each.__name__: each for each in classes if issubclass(each, Exception)}


def test_no_error_of_the_sdk_is_new(of_the_sdk: dict[str, type[Exception]]) -> None:
    """A new class in the SDK fails this until somebody has decided what it means."""
    assert of_the_sdk.keys() - KINDS.keys() == set(), "say in errors.py what they are"


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_error_of_the_sdk_has_its_kind_here(of_the_sdk: dict[str, type[Exception]], name: str) -> None:
    kind = of_the_sdk[name]
    error = kind.__new__(kind, "something is wrong")
    if isinstance(error, core.ODataV4Error):  # its text needs all that its constructor finds in an answer
        sent = '{"error": {"code": "UserError", "message": "something is wrong"}}'
        answer: Any = SimpleNamespace(status_code=400, reason="", body=lambda: b"", text=lambda: sent)
        error = core.ODataV4Error(answer)

    found = translated(error, "asking")

    assert type(found) is KINDS[name]
    assert str(found).startswith("Azure ML failed at asking: something is wrong.")


@pytest.mark.parametrize(
    "error",
    [
        requests.exceptions.ConnectionError("Connection aborted."),
        requests.exceptions.SSLError("certificate verify failed: self-signed certificate"),
        requests.exceptions.ProxyError("no tunnel"),
        requests.exceptions.ReadTimeout("Read timed out."),
        requests.exceptions.ChunkedEncodingError("broken"),
        urllib3.exceptions.ProtocolError("Connection broken"),
        urllib3.exceptions.IncompleteRead(1, 2),
        urllib3.exceptions.NewConnectionError(None, "refused"),  # type: ignore[arg-type]  the text is what counts
        ssl.SSLCertVerificationError("certificate verify failed"),
        ssl.SSLEOFError("EOF occurred in violation of protocol"),
        ConnectionResetError(104, "Connection reset by peer"),
        TimeoutError("timed out"),
    ],
)
def test_errors_of_the_network_are_the_backend_being_unavailable(error: Exception) -> None:
    found = translated(error, "asking")

    assert type(found) is BackendUnavailable
    assert "Run the same command again" in str(found) or "REQUESTS_CA_BUNDLE" in str(found)


@pytest.mark.parametrize(
    ("status", "kind", "advice"),
    [
        (400, BackendError, ""),
        (401, AuthenticationFailed, "az login"),
        (403, AuthenticationFailed, "AzureML Data Scientist"),
        (404, NotFound, ""),
        (408, BackendUnavailable, "same command"),
        (409, Conflict, ""),
        (412, Conflict, "same command"),
        (429, BackendUnavailable, "Wait 7 s"),
        (500, BackendUnavailable, "Wait 7 s"),
        (503, BackendUnavailable, "Wait 7 s"),
    ],
)
def test_a_status_says_what_is_wrong_and_what_to_do(status: int, kind: type[CreditMLError], advice: str) -> None:
    response: Any = SimpleNamespace(
        status_code=status, reason="why", headers={"Retry-After": "7"}, text=lambda: "", content=b""
    )

    found = translated(core.HttpResponseError("it is so", response=response), "asking")

    assert type(found) is kind
    assert advice in str(found)


def test_what_the_sdk_wraps_is_what_counts() -> None:
    import azure.ai.ml.exceptions as ml

    inner = core.ServiceRequestError("no route")
    outer = ml.MlException(message="Saving blob was unsuccessful", no_personal_data_message="", error=inner)

    assert type(translated(outer, "downloading")) is BackendUnavailable


def test_the_formatted_texts_are_reduced_to_what_is_wrong() -> None:
    import azure.ai.ml.exceptions as ml

    text = (
        "\x1b[31m\n\nError: \n1) One or more fields are invalid\n\x1b[39m\n\nDetails: \n\n"
        "\x1b[31m(x) jobs.a.component:\n- Not a valid string.\n- In git path, something.\n\x1b[39m\n"
        "Resolutions: \n1) Double-check that all specified parameters are of the correct types.\n"
        "If using the CLI, you can also check the full log in debug mode for more details by adding --debug\n"
    )
    found = translated(ml.ValidationException(message=text, no_personal_data_message=""), "reading job.yml")

    assert str(found) == (
        "Azure ML failed at reading job.yml: jobs.a.component: Not a valid string. In git path, something."
    )


def test_a_credential_that_fails_is_one_line() -> None:
    text = (
        "DefaultAzureCredential failed to retrieve a token from the included credentials.\nAttempted credentials:\n"
        "\tEnvironmentCredential: EnvironmentCredential authentication unavailable.\n"
    )
    found = str(translated(core.ClientAuthenticationError(text), "asking"))

    assert "EnvironmentCredential" not in found
    assert "az login" in found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "HTTPSConnectionPool(host='a.example', port=443): Max retries exceeded ([Errno 111] Connection refused)",
            "a.example can't be reached (Connection refused).",
        ),
        (
            "<urllib3 object at 0x7f>: Failed to resolve 'a.example' ([Errno -2] Name or service not known)",
            "a.example can't be reached (Name or service not known).",
        ),
        ("('Connection aborted.', RemoteDisconnected('Remote end closed'))", "no connection (the connection was cut)."),
    ],
)
def test_who_is_not_reached_and_why_is_said_without_pools_and_objects(text: str, said: str) -> None:
    found = str(translated(core.ServiceRequestError(text), "asking"))

    assert found.startswith(f"Azure ML failed at asking: {said} Check the network")


def test_a_full_disk_is_said_plainly() -> None:
    found = str(translated(OSError(28, "No space left on device"), "downloading"))

    assert found == "Azure ML failed at downloading: No space left on device."


def test_no_token_for_want_of_a_network_is_no_matter_of_signing_in() -> None:
    text = "Authentication failed: HTTPSConnectionPool(host='login.example', port=443): Max retries exceeded"
    unsigned = f"{text}\nAzureCliCredential: Please run 'az login' to set up an account"

    assert type(translated(core.ClientAuthenticationError(text), "asking")) is BackendUnavailable
    assert type(translated(core.ClientAuthenticationError(unsigned), "asking")) is AuthenticationFailed
