"""What is taken out of a text before it is shown or kept."""

from __future__ import annotations

import base64

import pytest

from creditml.secrets import all_redacted, disarmed, redacted, without_credentials, without_escapes

KEY = base64.b64encode(bytes(range(64))).decode()
JWT = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL20ifQ.c2lnbmF0dXJlLW9mLWl0"
SAS = "sv=2021-12-02&st=2026-01-01T00%3A00%3A00Z&se=2026-01-02&sr=b&sp=r&sig=Tm90UmVhbGx5QVNpZ25hdHVyZQ%3D%3D"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"GET https://a.blob.core.windows.net/c/b?{SAS} failed", "Tm90UmVhbGx5"),
        (f"with url: /c/b?{SAS}&comp=list (Caused by", "Tm90UmVhbGx5"),
        (f"token is {SAS}", "Tm90UmVhbGx5"),
        (f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={KEY};EndpointSuffix=x", KEY),
        (f"the key {KEY} is", KEY),
        (f"SharedAccessSignature={SAS}", "Tm90UmVhbGx5"),
        (f"Authorization: Bearer {JWT}", JWT),
        ("Authorization: Bearer abc.def-123456", "abc.def-123456"),
        (f"a token {JWT}", JWT),
        (f'{{"access_token": "{JWT}"}}', JWT),
        ("SharedKey account:Zm9vYmFyYmF6Zm9v=", "Zm9vYmFy"),
        ('{"client_secret": "q8~Not.A-Secret_1"}', "q8~Not"),
        ("client_secret=q8~Not.A-Secret_1&scope=x", "q8~Not"),
        ('{"sasToken": "abcdefgh"}', "abcdefgh"),
        ("https://me:hunter22@host/path", "hunter22"),
        ("https://ghp0123456789@host/path", "ghp0123456789"),
        ("git clone with ghp_0123456789abcdefghij", "0123456789abcdefghij"),
        ("https://b.s3.amazonaws.com/k?X-Amz-Expires=60&X-Amz-Signature=0123abcd", "0123abcd"),
        ("https://host/data.csv?token=abcdef&x=1", "abcdef"),
        ("https://host/a.csv?sig=abc", "abc"),
        ("the secret of the environment", "of the env"),
    ],
)
def test_secrets_are_taken_out(text: str, secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "of the env")

    assert secret in text
    assert secret not in redacted(text)
    assert "…" in redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "set se=5 and sp=3 in your config; sv=model",
        "https://ml.azure.com/runs/x?wsid=/subscriptions/1/workspaces/w&tid=2",
        "https://a.blob.core.windows.net/container/folder/blob.csv",
        "Use Bearer authentication for this",
        "the design=good, a token of friendship, the key of the door",
        "sha256 0f343b0931126a20f133d67c2b018a3b5f0c3d6e3cb1a2c0f343b0931126a20f1",
        "LocalUpload/d41d8cd98f00b204e9800998ecf8427e/data.csv",
        "user@example.com can't read https://localhost:8080/a@b",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert redacted(text) == text


def test_credentials_are_not_shown() -> None:
    text = "at https://me:se%40cret@a.example/simple and https://token@b/simple, not me@c"
    assert without_credentials(text) == "at https://***@a.example/simple and https://***@b/simple, not me@c"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\nünï 中", "plain\ttext\nünï 中"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("a\rb\x9b2J\x00", r"a\x0db\x9b2J\x00"),
    ],
)
def test_no_control_character_reaches_a_terminal(text: str, shown: str) -> None:
    assert disarmed(text) == shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m words", "red words"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\!", "link!"),
        ("10%\r50%\r100%\r\n", "100%"),
        ("\x1b]0;never ends", ""),
        ("\x1bc\x9b2Jtext\x9dtitle\x9c\x08\x07", "text"),
        ("a\tb", "a\tb"),
    ],
)
def test_a_line_of_a_log_is_as_a_terminal_leaves_it(line: str, shown: str) -> None:
    assert without_escapes(line) == shown


def test_all_texts_of_a_record_are_redacted() -> None:
    record = {"a": [f"https://h/x?{SAS}", 5, None], "b": {"c": "password=hunter22"}}
    assert all_redacted(record) == {"a": ["https://h/x?…", 5, None], "b": {"c": "password=…"}}
    named = {"AZURE_CLIENT_SECRET": "x", "WANDB_API_KEY": "y", "db-password": "z", "tokens": "5", "token": "${{a.b}}"}
    assert all_redacted(named) == dict.fromkeys(list(named)[:3], "…") | {"tokens": "5", "token": "${{a.b}}"}
