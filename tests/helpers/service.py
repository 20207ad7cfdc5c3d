"""A model behind a real HTTP service on this machine."""

import json
import threading
from collections import Counter
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import Request, urlopen

import numpy as np


class Service:
    """Serves answers as JSON; on request every third call fails, each otherwise."""

    def __init__(self, model, method="predict_proba"):
        self.answer, self.seen = getattr(model, method), Counter()
        self.n_requests, self.fails_from = 0, np.inf
        self.fails_often = False
        handler = type("Handler", (_Handler,), {"service": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        serve = partial(self.server.serve_forever, poll_interval=0.01)
        threading.Thread(target=serve, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        service = self.service
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        service.n_requests += 1
        number = service.n_requests
        if number >= service.fails_from or (service.fails_often and number % 3 == 0):
            if number % 2:
                self.send_error(503)
            else:
                self.close_connection = True  # without a word
            return
        service.seen.update(map(tuple, body))
        answer = json.dumps(service.answer(np.array(body)).tolist())
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *args):
        pass


def ask(url, X):
    """What a user would write."""
    with urlopen(Request(url, json.dumps(X.tolist()).encode())) as answer:
        return json.loads(answer.read())
