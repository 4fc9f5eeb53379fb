"""A Hugging Face Hub with one model, for the real client: as much of it as a download needs."""

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODEL = "acme/tiny"
COMMIT = "85fadab" + "0" * 33


def _handler(files):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_arguments):
            pass

        def do_GET(self):
            path = self.path.split("?")[0]
            if path.startswith(f"/api/models/{MODEL}/tree/"):
                self._say_json([{"type": "file", **entry} for entry in self._entries("path")])
            elif path == f"/api/models/{MODEL}" or path.startswith(f"/api/models/{MODEL}/revision"):
                siblings = self._entries("rfilename")
                self._say_json({"id": MODEL, "sha": COMMIT, "siblings": siblings})
            else:
                self._say_file(path)

        def do_HEAD(self):
            self._say_file(self.path)

        def _entries(self, name_field):
            return [
                {name_field: name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                for name, data in files.items()
            ]

        def _say_json(self, body):
            self._say(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

        def _say_file(self, path):
            data = files.get(path.rsplit("/", 1)[-1])
            if data is None or f"/{MODEL}/resolve/" not in path:
                self._say(404, b"", {"X-Error-Code": "RepoNotFound"})
                return
            tag = f'"{hashlib.sha1(data).hexdigest()}"'
            self._say(200, data, {"ETag": tag, "X-Repo-Commit": COMMIT})

        def _say(self, status, body, headers):
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

    return Handler


@contextmanager
def hub_with(files):
    """The address of a Hub that has these files, name → bytes, as its only model."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(files))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
