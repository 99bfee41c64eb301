"""The openssl authority behind HTTP, which can be told to be slow, wrong or rude."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[bytes], tuple[int, str, bytes]]
"""What to say to a query: status, content type, body."""


@dataclass
class Line:
    """`answer` may be changed while it serves; `asked` counts the queries."""

    url: str
    answer: Answer
    asked: list[bytes] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)


def good(make: Callable[[bytes], bytes]) -> Answer:
    return lambda query: (200, "application/timestamp-reply", make(query))


@contextmanager
def serving(answer: Answer, port: int = 0) -> Iterator[Line]:
    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            line.asked.append(query)
            status, kind, body = line.answer(query)
            try:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except (BrokenPipeError, ConnectionResetError):
                pass  # who asked did not wait

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", port), Door)
    line = Line(f"http://127.0.0.1:{server.server_address[1]}/tsr", answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield line
    finally:
        line.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
