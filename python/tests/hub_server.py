"""A Hugging Face Hub with one model, for the real client: as much of it as a download needs.

What goes wrong on the way is tried in test/models/, against a Hub that breaks.
"""

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODEL = "acme/tiny"
COMMIT = "85fadab" + "0" * 33
LARGE = (".safetensors", ".bin", ".msgpack")


def git_sha1(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _handler(files, is_terse):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_arguments):
            pass

        def do_GET(self):
            path = self.path.split("?")[0]
            if path == f"/api/models/{MODEL}" or path.startswith(f"/api/models/{MODEL}/revision"):
                siblings = [self._sibling(name, data) for name, data in files.items()]
                body = json.dumps({"id": MODEL, "sha": COMMIT, "siblings": siblings})
                self._say(200, body.encode(), {"Content-Type": "application/json"})
            else:
                self._say_file(path)

        def do_HEAD(self):
            self._say_file(self.path)

        def _sibling(self, name, data):
            told = {"rfilename": name}
            if not is_terse:
                told |= {"size": len(data), "blobId": git_sha1(data)}
                if name.endswith(LARGE):
                    sha256 = hashlib.sha256(data).hexdigest()
                    told["lfs"] = {"sha256": sha256, "size": len(data), "pointerSize": 134}
            return told

        def _say_file(self, path):
            data = files.get(path.rsplit("/", 1)[-1])
            if data is None or f"/{MODEL}/resolve/" not in path:
                self._say(404, b"", {"X-Error-Code": "RepoNotFound"})
                return
            name = path.rsplit("/", 1)[-1]
            is_large = name.endswith(LARGE)
            tag = hashlib.sha256(data).hexdigest() if is_large else git_sha1(data)
            self._say(200, data, {"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT})

        def _say(self, status, body, headers):
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

    return Handler


@contextmanager
def hub_with(files, *, is_terse=False):
    """The address of a Hub that has these files, name → bytes, as its only model.

    `is_terse`: a mirror that tells neither sizes nor checksums in its list.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(files, is_terse))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
