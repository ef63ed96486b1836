"""Shows the page about runs in a browser, and keeps it up to date while they go on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from mainspring.errors import ConfigError, MainspringError
from mainspring.logging.scalar_lines import scalar_files
from mainspring.report.html import escaped, tag
from mainspring.report.page import page_of
from mainspring.report.run import RunFiles

__all__ = ["PageServer", "serve"]

_HOST = "127.0.0.1"


class PageServer(ThreadingHTTPServer):
    """Serves the page to this machine only, made anew each time that it is asked for.

    Args:
        folders: Work directories of the runs.
        port: Where to listen; 0 for any free port.

    Raises:
        ConfigError: The port is taken.
    """

    daemon_threads = True

    def __init__(self, folders: Sequence[Path], port: int) -> None:
        self.folders = folders
        try:
            super().__init__((_HOST, port), _Handler)
        except OSError as error:
            raise ConfigError(
                f"--port is {port}, where nothing can be served: {error}", help="give another one"
            ) from error

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{_HOST}:{self.server_address[1]}/"

    def page(self) -> str:
        """The page as it is now; while the runs have left nothing, one that says so."""
        try:
            return page_of([RunFiles.read(folder) for folder in self.folders], reload=True)
        except MainspringError as error:
            again = '<meta charset="utf-8"><meta http-equiv="refresh" content="2">'
            return "<!DOCTYPE html>" + again + tag("p", escaped(error))

    def version(self) -> str:
        """What changes when a run has left something new."""
        seen = []
        for folder in self.folders:
            records = (*folder.glob("*/report.json"), *folder.glob("*/run.json"))
            for file in (*scalar_files(folder), *records):
                with suppress(OSError):  # replaced at this moment
                    status = file.stat()
                    seen.append((file, status.st_mtime, status.st_size))
        return str(hash(tuple(seen)))


class _Handler(BaseHTTPRequestHandler):
    server: Any

    def do_GET(self) -> None:
        """Answer with the page, or with what tells whether there is a newer one."""
        answers = {
            "/": (self.server.page, "text/html"),
            "/version": (self.server.version, "text/plain"),
        }
        if self.path not in answers:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        make, kind = answers[self.path]
        content = make().encode(errors="backslashreplace")
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in http.server
        """Say nothing of each request."""


def serve(folders: Sequence[Path], port: int) -> None:
    """Serve the page until the user interrupts.

    Args:
        folders: Work directories of the runs.
        port: Where to listen.

    Raises:
        ConfigError: The port is taken.
    """
    with PageServer(folders, port) as server:
        print(f"{server.address} shows {', '.join(map(str, folders))}; Ctrl+C ends it", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
