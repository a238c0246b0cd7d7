"""`python -m forgefield.jobs.processes.worker N`: a process that does the tasks which come through the pipe N."""

import os
import pickle
import signal
import sys
import threading
from multiprocessing.connection import Connection
from queue import SimpleQueue

import jax


def reason(error: BaseException) -> str:
    """Say why a task failed."""
    return str(error) or type(error).__name__


def serve(pipe: Connection) -> None:
    """Answer each task with its result and None, or with None and the reason of its failure.

    Before tasks, and again before tasks of another kind, come settings of JAX with the function and what it is given.
    """
    # Ctrl-C is for the process that started this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    received: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_receive, args=(pipe, received), daemon=True).start()
    function, given = None, None
    while True:
        settings, content = pickle.loads(received.get())
        if settings is not None:
            for name, value in settings.items():
                jax.config.update(name, value)
            # Opened only now: in single precision its arrays would lose half of their digits.
            function, given = pickle.loads(content)
            continue
        assert function is not None
        try:
            answer = pickle.dumps((function(given, content), None))
        except Exception as error:
            answer = pickle.dumps((None, reason(error)))
        pipe.send_bytes(answer)


def _receive(pipe: Connection, received: SimpleQueue[bytes]) -> None:
    """Take what comes; end the process with the one that started it, or when that has no more use for it."""
    while True:
        try:
            received.put(pipe.recv_bytes())
        except (EOFError, OSError):
            os._exit(0)


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
