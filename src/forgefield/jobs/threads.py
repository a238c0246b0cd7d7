"""Which libraries may use how many threads."""

from threading import Lock
from types import TracebackType

import scipy.linalg
from threadpoolctl import ThreadpoolController


class OneThreadAMatrix:
    """Keeps the LAPACKs of SciPy and NumPy to one thread for a matrix while any `with` of it lasts, in any thread.

    JAX solves a batch of eigenproblems by SciPy's, on threads of its own. With threads of both, which wait for each
    other, nine matrices of 180 rows take 1.8 s on two cores instead of 0.03 s. Threads of NumPy's spin for some
    hundredths of a second after each small matrix: a third of all that the processor did in the fit of twenty atoms.
    """

    def __init__(self) -> None:
        self._lock, self._n = Lock(), 0

    def __enter__(self) -> None:
        # Calls may overlap: the first one limits, the last one restores.
        with self._lock:
            if self._n == 0:
                self._limit = _libraries().limit(limits=1)
            self._n += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        with self._lock:
            self._n -= 1
            if self._n == 0:
                self._limit.restore_original_limits()


ONE_THREAD_A_MATRIX = OneThreadAMatrix()
"""The limit is one of the process, and so is this."""


def one_thread_a_matrix() -> None:
    """Keep the LAPACKs of SciPy and NumPy to one thread for a matrix from now on."""
    _libraries().limit(limits=1)


def _libraries() -> ThreadpoolController:
    assert scipy.linalg.lapack is not None  # Loaded, so that its threads are there to be limited.
    return ThreadpoolController().select(user_api="blas")
