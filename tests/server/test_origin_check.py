"""No web page can use the embedded server: every route refuses every header that reveals a page."""

import json
import re

import pytest
from server.raw_http import form, port_of, request, send, upload

from distilltest.demo_models.embedded_server import EmbeddedServer
from distilltest.demo_models.models import EmbeddedModels
from distilltest.server.app import LocalServer

JSON = [("Content-Type", "application/json")]
CHAT = json.dumps(
    {"model": "embedded-teacher", "messages": [{"role": "user", "content": "show the status"}], "store": True}
).encode()
PORT = "{port}"
FOREIGN = [
    *(
        {"host": host}
        for host in (
            "evil.example",
            f"evil.example:{PORT}",
            f"127.0.0.1.evil.example:{PORT}",
            f"localhost.evil.example:{PORT}",
            f"evil.localhost:{PORT}",
            f"127.0.0.1@evil.example:{PORT}",
            f"evil.example:{PORT}:127.0.0.1",
            f"0.0.0.0:{PORT}",
            f"192.168.0.7:{PORT}",
            f"[::2]:{PORT}",
            "127.0.0.1:",
            "٣:80",
            "",
            None,
        )
    ),
    {"headers": [("Host", "evil.example")]},
    {"headers": [("Host", "127.0.0.1")]},
    *(
        {"headers": [("Origin", origin)]}
        for origin in (
            "http://evil.example",
            "null",
            "",
            "http://localhost:3000",
            "http://127.0.0.1:1",
            "http://127.0.0.1.evil.example",
            "file://",
            "chrome-extension://abcdefgh",
        )
    ),
    {"headers": [("Origin", "http://127.0.0.1"), ("Origin", "http://evil.example")]},
    {"headers": [("Sec-Fetch-Site", "cross-site")]},
    {"headers": [("Sec-Fetch-Site", "same-site")]},
    {"headers": [("Sec-Fetch-Site", "none"), ("Sec-Fetch-Site", "cross-site")]},
    {"absolute": "http://evil.example"},
]


@pytest.fixture(params=["embedded", "models of one's own"])
def server(request, tmp_path):
    if request.param == "embedded":
        running = EmbeddedServer.start(tmp_path)
    else:
        running = LocalServer.start(tmp_path, models_of=lambda objects: EmbeddedModels(objects, 0.05))
    yield running
    running.stop()


def routes(server):
    """Every method and path of the app, and unknown paths."""
    found = []
    for route in server._runner.app.router.routes():
        path = re.sub(r"\{(\w+):([^}|]+)\|[^}]*\}", r"\2", route.resource.canonical)
        found.append((route.method, re.sub(r"\{[^}]+\}", "x", path)))
    assert ("POST", "/v1/files") in found
    assert len(found) > 25
    return [*found, ("GET", "/"), ("POST", "/v1/none"), *{("OPTIONS", path): 0 for _, path in found}]


def ask(server, method, path, foreign):
    options = {name: value for name, value in foreign.items() if name != "absolute"}
    if options.get("host"):
        options["host"] = options["host"].format(port=port_of(server))
    body, headers = b"", list(options.pop("headers", []))
    if method == "POST":
        body, headers = CHAT, headers + JSON
    if method == "OPTIONS":
        headers += [("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Private-Network", "true")]
    if (method, path) == ("POST", "/v1/files"):
        body, headers = form(b"{}"), [h for h in headers if h not in JSON]
        headers.append(("Content-Type", "multipart/form-data; boundary=boundary-7"))
    version = "1.0" if foreign.get("host", "") is None else "1.1"
    return send(server, request(method, foreign.get("absolute", "") + path, headers, body, version=version, **options))


def test_every_route_refuses_every_foreign_request_and_does_nothing(server):
    passed = []
    for method, path in routes(server):
        for foreign in FOREIGN:
            reply = ask(server, method, path, foreign)
            by_us = reply.status == 403 and (method == "HEAD" or b"forbidden_origin" in reply.body)
            by_aiohttp = reply.status == 400 and b"Duplicate 'Host'" in reply.body
            if not by_us and not by_aiohttp:
                passed.append((method, path, foreign, reply))
            assert not [name for name in reply.headers if name.startswith("access-control-")]
    assert passed == []
    kept = json.loads(send(server, request("GET", "/distilltest/stats")).body)
    assert kept == {"chat_completions": 0, "by_model": {}, "files": 0, "jobs": 0}
    assert json.loads(send(server, request("GET", "/v1/chat/completions")).body)["data"] == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "LOCALHOST:80", "[::1]:1", "127.8.9.1:65535", "localhost:{port}"]
)
def test_a_program_on_this_machine_reaches_every_route(server, host):
    host = host.format(port=port_of(server))
    refused = []
    for method, path in routes(server):
        reply = ask(server, method, path, {"host": host})
        if reply.status == 403 and b"forbidden_origin" in reply.body:
            refused.append((method, path))
        assert reply.headers["cross-origin-resource-policy"] == "same-origin"
    assert refused == []
    same_page = [("Origin", f"http://{host}"), ("Sec-Fetch-Site", "same-origin")]
    assert send(server, request("GET", "/v1/models", same_page, host=host)).status == 200


def test_the_refusal_says_what_to_do_in_the_apis_own_shape(server):
    error = json.loads(send(server, request("GET", "/v1/files", host="evil.example")).body)["error"]
    assert error["code"] == "forbidden_origin"
    assert "'evil.example' is not a loopback name" in error["message"]
    assert "127.0.0.1" in error["message"]


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None]
)
def test_json_that_a_page_can_send_without_asking_for_leave_is_refused(server, kind):
    headers = [("Content-Type", kind)] if kind else []
    reply = send(server, request("POST", "/v1/chat/completions", headers, CHAT))
    assert reply.status == 415
    assert b"application/json" in reply.body


def test_a_file_that_is_read_is_for_no_page(server):
    identity = json.loads(send(server, upload(form(b"secret"))).body)["id"]
    reply = send(server, request("GET", f"/v1/files/{identity}/content"))
    assert (reply.status, reply.body) == (200, b"secret")
    assert reply.headers["cross-origin-resource-policy"] == "same-origin"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["x-request-id"].startswith("req_")
