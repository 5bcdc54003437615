"""The OpenAI API over aiohttp, on the loopback address only."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import orjson
from aiohttp import web

from distilltest.server.chat import Chat
from distilltest.server.errors import ApiError, invalid
from distilltest.server.files import Files
from distilltest.server.folder_lock import FolderLock
from distilltest.server.interface import ServedModels
from distilltest.server.job_records import JobRecords
from distilltest.server.jobs import Jobs
from distilltest.server.objects import Objects
from distilltest.server.origin_check import Handler, forbid_other_origins, refuse_web_pages
from distilltest.server.transfer import receive, send
from distilltest.server.worker import JobWorker

HOST = "127.0.0.1"
"""The only address, because the server is not secured for use on a network."""
STOP_SECONDS = 30.0
"""How many seconds :meth:`LocalServer.stop` waits. A server that is still running then ends with the process."""
LARGEST_JSON = 64 * 1024 * 1024
"""The size limit of a request that is not an upload, in bytes."""


def create_app(
    folder: Path,
    *,
    models_of: Callable[[Objects], ServedModels],
    latency: float = 0.0,
    api_key: str | None = None,
) -> web.Application:
    """Create the application.

    Args:
        folder: Where the server keeps files, jobs, tuned models and stored completions.
        models_of: Creates the models to serve.
        latency: How long each chat completion takes, in seconds.
        api_key: The key that requests must send; None accepts requests without a key.
    """
    objects = Objects(folder)
    models = models_of(objects)
    files = Files(objects)
    chat = Chat(models, objects)
    records = JobRecords(objects)
    worker = JobWorker(records, files, models, FolderLock(folder))
    jobs = Jobs(records, files, models, worker)
    counts: Counter[str] = Counter()
    routes = web.RouteTableDef()

    @routes.post("/v1/chat/completions")
    async def create_completion(request: web.Request) -> web.Response:
        body = await _json(request)
        answer = await chat.complete(body)
        if latency:
            await asyncio.sleep(latency)
        counts[str(body.get("model"))] += 1
        return _reply(answer)

    @routes.get("/v1/chat/completions")
    async def list_completions(request: web.Request) -> web.Response:
        return _reply(chat.list_all(dict(request.query)))

    @routes.get("/v1/chat/completions/{id}")
    async def get_completion(request: web.Request) -> web.Response:
        return _reply(chat.get(request.match_info["id"]))

    @routes.post("/v1/chat/completions/{id}")
    async def update_completion(request: web.Request) -> web.Response:
        return _reply(chat.update(request.match_info["id"], await _json(request)))

    @routes.delete("/v1/chat/completions/{id}")
    async def delete_completion(request: web.Request) -> web.Response:
        return _reply(chat.delete(request.match_info["id"]))

    @routes.get("/v1/chat/completions/{id}/messages")
    async def completion_messages(request: web.Request) -> web.Response:
        return _reply(chat.messages(request.match_info["id"], dict(request.query)))

    @routes.get("/v1/models")
    async def list_models(_: web.Request) -> web.Response:
        return _reply({"object": "list", "data": models.all()})

    @routes.get("/v1/models/{id:.+}")
    async def get_model(request: web.Request) -> web.Response:
        return _reply(models.get(request.match_info["id"]))

    @routes.post("/v1/embeddings")
    async def create_embeddings(request: web.Request) -> web.Response:
        return _reply(models.embeddings(await _json(request)))

    @routes.post("/v1/files")
    async def create_file(request: web.Request) -> web.Response:
        return _reply(await receive(request, files))

    @routes.get("/v1/files")
    async def list_files(request: web.Request) -> web.Response:
        return _reply(files.list_all(dict(request.query)))

    @routes.get("/v1/files/{id}")
    async def get_file(request: web.Request) -> web.Response:
        return _reply(files.get(request.match_info["id"]))

    @routes.get("/v1/files/{id}/content")
    async def file_content(request: web.Request) -> web.StreamResponse:
        return await send(request, files.open(request.match_info["id"]))

    @routes.delete("/v1/files/{id}")
    async def delete_file(request: web.Request) -> web.Response:
        return _reply(files.delete(request.match_info["id"]))

    @routes.post("/v1/fine_tuning/jobs")
    async def create_job(request: web.Request) -> web.Response:
        return _reply(jobs.create(await _json(request)))

    @routes.get("/v1/fine_tuning/jobs")
    async def list_jobs(request: web.Request) -> web.Response:
        return _reply(jobs.list_all(dict(request.query)))

    @routes.get("/v1/fine_tuning/jobs/{id}")
    async def get_job(request: web.Request) -> web.Response:
        return _reply(jobs.get(request.match_info["id"]))

    @routes.post("/v1/fine_tuning/jobs/{id}/{action:cancel|pause|resume}")
    async def act_on_job(request: web.Request) -> web.Response:
        action = {"cancel": jobs.cancel, "pause": jobs.pause, "resume": jobs.resume}[request.match_info["action"]]
        return _reply(action(request.match_info["id"]))

    @routes.get("/v1/fine_tuning/jobs/{id}/events")
    async def job_events(request: web.Request) -> web.Response:
        return _reply(jobs.events(request.match_info["id"], dict(request.query)))

    @routes.get("/v1/fine_tuning/jobs/{id}/checkpoints")
    async def job_checkpoints(request: web.Request) -> web.Response:
        return _reply(jobs.checkpoints(request.match_info["id"], dict(request.query)))

    @routes.get("/distilltest/stats")
    async def stats(_: web.Request) -> web.Response:
        kept = {"files": len(objects.all("file")), "jobs": len(objects.all("job"))}
        return _reply({"chat_completions": sum(counts.values()), "by_model": dict(counts), **kept})

    @web.middleware
    async def format_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except ApiError as error:
            return _reply(error.content, error.status)
        except web.HTTPException as error:
            content = ApiError(error.status, f"{request.method} {request.path}: {error.reason}").content
            return _reply(content, error.status)

    async def add_request_id(_: web.Request, response: web.StreamResponse) -> None:
        response.headers["x-request-id"] = f"req_{secrets.token_hex(8)}"

    @web.middleware
    async def check_key(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode(errors="replace")
        if api_key is not None and not secrets.compare_digest(given, f"Bearer {api_key}".encode()):
            raise ApiError(401, "Incorrect API key provided.", code="invalid_api_key")
        return await handler(request)

    async def start(_: web.Application) -> None:
        worker.start()

    async def stop(_: web.Application) -> None:
        await worker.close()
        models.close()
        objects.close()

    layers = [format_errors, refuse_web_pages, check_key]
    app = web.Application(middlewares=layers, client_max_size=LARGEST_JSON)
    app.on_response_prepare.extend([add_request_id, forbid_other_origins])
    app.add_routes(routes)
    app.on_startup.append(start)
    app.on_cleanup.append(stop)
    return app


class LocalServer:
    """The server, running in its own thread."""

    def __init__(self, folder: Path, port: int, options: dict[str, Any]) -> None:
        self._folder = folder
        self._port = port
        self._options = options
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._runner: web.AppRunner | None = None
        self._thread = threading.Thread(target=self._work, name="distilltest-embedded", daemon=True)
        self.base_url = ""
        """The base URL, with ``/v1``."""

    @classmethod
    def start(cls, folder: Path, port: int = 0, **options: Any) -> Self:
        """Start the server on a loopback port; 0 picks a free one. The options are those of :func:`create_app`.

        Raises:
            OSError: The port is taken.
        """
        server = cls(folder, port, options)
        server._thread.start()
        server._ready.wait()
        if server._error is not None:
            raise server._error
        return server

    def stop(self) -> None:
        """Stop the server. Unfinished jobs continue at the next start; :meth:`JobWorker.close` says how long this waits."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(STOP_SECONDS)

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:
            self._error = error
            if self._runner is not None:
                self._loop.run_until_complete(self._runner.cleanup())
            self._loop.close()
            self._ready.set()
            return
        self._ready.set()
        self._loop.run_forever()
        if self._runner is not None:
            self._loop.run_until_complete(self._runner.cleanup())
        self._loop.close()

    async def _serve(self) -> None:
        app = create_app(self._folder, **self._options)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self._port, backlog=1024)
        await site.start()
        self.base_url = f"http://{HOST}:{self._runner.addresses[0][1]}/v1"


async def _json(request: web.Request) -> dict[str, Any]:
    if request.content_type != "application/json":  # browsers do not let a foreign page send this without a preflight
        raise ApiError(415, f"Send JSON: the Content-Type is {request.content_type}, not application/json.")
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise invalid("We could not parse the JSON body of your request.") from None
    if not isinstance(body, dict):
        raise invalid("The body of the request must be a JSON object.")
    return body


def _reply(content: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json")
