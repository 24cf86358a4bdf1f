"""A web server of this machine, well-behaved or not."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class FileServer:
    """What is served, and what was asked for.

    Attributes:
        address: "http://127.0.0.1:PORT".
        files: path -> content.
        announced: path -> Content-Length, where it is not the content's own; None for no such header.
        asked: the paths, in order.
    """

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    announced: dict[str, int | None] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def publish(self, path: str, content: bytes) -> str:
        """Serve a file; returns its address."""
        self.files[path] = content
        return f"{self.address}{path}"


@contextlib.contextmanager
def running() -> Iterator[FileServer]:
    """A server that ends with the context."""
    shown = FileServer()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown.asked.append(self.path)
            content = shown.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            length = shown.announced.get(self.path, len(content))
            if length is not None:
                self.send_header("Content-Length", str(length))
            self.end_headers()
            # Who asks may have heard enough.
            with contextlib.suppress(OSError):
                self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    shown.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield shown
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
