"""The Celery application of the bench: what its workers import. The addresses come from the environment."""

import http.client
import os
import threading
from urllib.parse import urlsplit

from celery import Celery

from bench.payload import Reply, body_of, path_of

_HEADERS = {"Content-Type": "application/json", "Authorization": "Basic YmVuY2g6YmVuY2g="}
_local = threading.local()

app = Celery("bench", broker=os.environ.get("BENCH_REDIS", ""), backend=os.environ.get("BENCH_REDIS", ""))
app.conf.update(
    task_acks_late=True,  # the default acknowledges first, and loses the reply when a worker dies
    worker_prefetch_multiplier=int(os.environ.get("BENCH_PREFETCH", "4")),
    task_serializer="json",
    result_expires=3600,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    broker_connection_retry_on_startup=True,
    redis_max_connections=64,
)


@app.task(name="deliver")
def deliver(conversation: str, sequence: int, text: str) -> str:
    """One provider call over a connection that is kept open; the answer is kept in the result backend."""
    one = Reply(conversation, sequence, text)
    connection = getattr(_local, "connection", None)
    if connection is None:
        connection = _local.connection = http.client.HTTPConnection(urlsplit(os.environ["BENCH_PROVIDER"]).netloc, timeout=30)
    connection.request("POST", path_of("bench", one.conversation), body_of(one), _HEADERS)
    response = connection.getresponse()
    answer = response.read()
    if response.status != 201:
        raise RuntimeError(f"provider answered {response.status}")
    return str(answer.decode())
