"""Masking: every spelling of a secret, nothing else, and JSON stays JSON."""

import base64
import html
import json
import os
import stat
import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilltest.config import Server, load_config
from distilltest.data.whole_files import write_whole
from distilltest.errors import ConfigError
from distilltest.untrusted import secrets
from distilltest.untrusted.secrets import MASK, mask, mask_bytes

KEY = "sk-proj-aB/9+x=Zq.\"\\'&<~é-0123456789"
PLAIN_KEY = "nvapi-Zq9/aB+x_0123456789-b"


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(secrets, "_secrets", secrets._Secrets())


def in_json(text):
    return json.dumps(text)[1:-1]


def as_units(text):
    return "".join(f"\\u{ord(sign):04X}" for sign in text)


def as_entities(text):
    return "".join(f"&#{ord(sign)};" if ord(sign) % 2 else f"&#x{ord(sign):x};" for sign in text)


SPELLINGS = {
    "itself": str,
    "JSON": in_json,
    "JSON in JSON": lambda text: in_json(in_json(text)),
    "JSON in JSON in JSON": lambda text: in_json(in_json(in_json(text))),
    "all as \\u": as_units,
    "half as \\u": lambda text: as_units(text[:5]) + in_json(text[5:]),
    "\\u in JSON": lambda text: in_json(as_units(text)),
    "slashes": lambda text: in_json(text).replace("/", "\\/"),
    "URL": lambda text: quote(text, safe=""),
    "URL, small letters": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "URL in URL": lambda text: quote(quote(text, safe=""), safe=""),
    "JSON in URL": lambda text: quote(in_json(text), safe=""),
    "HTML": html.escape,
    "HTML numbers": as_entities,
    "HTML in JSON": lambda text: in_json(html.escape(text)),
}


@pytest.mark.parametrize("key", [KEY, PLAIN_KEY])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_masked_in_every_spelling_and_the_text_around_it_stays(key, spelling):
    secrets.remember(key)
    spelled = SPELLINGS[spelling](key)
    shown = mask(f"before {spelled} after, {spelled}")
    assert shown.replace("\\", "") == f"before {MASK} after, {MASK}"  # pairs of backslashes before it may stay
    assert mask_bytes(f"<<{spelled}>>".encode()).replace(b"\\", b"") == f"<<{MASK}>>".encode()


@pytest.mark.parametrize("key", [KEY, PLAIN_KEY])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("before", ["", "x", "ab", "Bearer ", "user:"])
def test_base64_of_a_text_with_a_secret_gives_no_more_than_three_characters_away(key, encode, before):
    secrets.remember(key)
    encoded = encode(f"{before}{key}tail".encode()).decode()
    shown = mask(f'{{"auth": "Basic {encoded}"}}')
    assert MASK in shown
    left, _, right = json.loads(shown)["auth"].removeprefix("Basic ").partition(MASK)
    known = base64.b64decode(left + "=" * (-len(left) % 4), altchars=b"-_" if "-" in left or "_" in left else None)
    assert len(known) <= len(before) + 1
    assert len(right) * 6 // 8 <= len("tail") + 3


@given(st.text(alphabet=string.printable, max_size=40), st.text(alphabet=string.printable, max_size=40))
def test_a_json_body_stays_json_and_keeps_everything_else(before, after):
    body = json.dumps({"a": before + PLAIN_KEY + after, "b": [before, after]}).encode()
    state = secrets._secrets
    try:
        secrets.remember(PLAIN_KEY)
        said = json.loads(mask_bytes(body))
    finally:
        secrets._secrets = state
    assert PLAIN_KEY not in json.dumps(said)
    assert said["a"].endswith(after)
    assert said["a"].startswith(before.rstrip("\\"))
    assert said["b"] == [before, after]


@given(st.text())
def test_a_text_without_a_secret_is_unchanged(text):
    state = secrets._secrets
    try:
        secrets.remember("sk-not-in-there-1234")
        assert mask(text) is text
        body = text.encode(errors="surrogatepass")
        assert mask_bytes(body) is body
    finally:
        secrets._secrets = state


def test_short_values_are_not_masked():
    secrets.remember("none", "test", "", None, "sk-1234")
    assert mask("none of the tests, sk-1234") == "none of the tests, sk-1234"


def test_the_longer_secret_hides_the_shorter_one():
    secrets.remember("sk-12345678", "sk-12345678-and-more")
    assert mask("sk-12345678-and-more sk-12345678") == f"{MASK} {MASK}"


@pytest.mark.parametrize(
    "body", [b"\\" * 300_000, b"%25" * 100_000, b"&#" * 100_000, b"sk-" * 100_000, b"\\u0073" * 50_000]
)
def test_no_body_slows_down_the_search(body):
    secrets.remember("sk-proj-0123456789")
    assert mask_bytes(body) == body


def test_a_very_long_text_with_a_secret_is_masked_as_a_whole():
    secrets.remember(PLAIN_KEY)
    assert mask("x" * secrets.LONGEST + PLAIN_KEY) == MASK


def test_user_and_password_move_from_the_address_to_a_header():
    server = Server("s", "https://bob:hun%40ter-2@example.com:8443/v1?x=a@b")
    assert server.base_url == "https://example.com:8443/v1?x=a@b"
    assert "hun" not in repr(server)
    header = base64.b64encode(b"bob:hun@ter-2").decode()
    assert server.authorization == f"Basic {header}"
    said = mask(f"https://bob:hun%40ter-2@example.com hun@ter-2 bob:hun@ter-2 Authorization: Basic {header}")
    assert said == f"https://{MASK}@example.com {MASK} {MASK} Authorization: {MASK}"
    assert mask("https://a:b@x") == "https://a:b@x"
    Server("t", "https://a:b@x/v1")
    assert mask("https://a:b@x") == f"https:{MASK}x"


def test_a_literal_key_in_the_file_is_not_shown_in_errors(tmp_path):
    (tmp_path / "distilltest.yaml").write_text(
        "servers: {s: {base_url: 'ftp://bob:hunter22@x', api_key: sk-typed-into-the-file}}\n"
    )
    with pytest.raises(ConfigError) as told:
        load_config(tmp_path)
    assert "api_key" in str(told.value)
    assert "sk-typed" not in str(told.value)
    assert "hunter22" not in str(told.value)


def test_passwords_of_proxies_are_masked_too(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://me:proxy-secret@proxy:3128")
    (tmp_path / "distilltest.yaml").write_text("{}\n")
    load_config(tmp_path)
    assert mask("407 from http://me:proxy-secret@proxy:3128") == f"407 from http://{MASK}@proxy:3128"


@pytest.mark.parametrize(("private", "rights"), [(True, (0o700, 0o600)), (False, (0o755, 0o644))])
def test_only_the_owner_can_read_private_files_and_their_folder(tmp_path, private, rights):
    before = os.umask(0o022)
    try:
        path = tmp_path / "reports" / "run" / "report.md"
        path.parent.parent.mkdir()
        write_whole(path, b"one", private=private)
        write_whole(path, b"two", private=private)
    finally:
        os.umask(before)
    assert path.read_bytes() == b"two"
    assert tuple(stat.S_IMODE(each.stat().st_mode) for each in (path.parent, path)) == rights


def test_the_message_of_an_error_has_no_secret():
    secrets.remember(PLAIN_KEY)
    assert str(ConfigError(f"HTTP 401: {PLAIN_KEY}")) == f"HTTP 401: {MASK}"
