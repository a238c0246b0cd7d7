"""Which libraries may use how many threads."""

from contextlib import AbstractContextManager
from pathlib import Path

import scipy.linalg
from threadpoolctl import ThreadpoolController

_NUMPYS_OWN = "numpy.libs"
"""NumPy has a BLAS of its own, which keeps its threads."""


def one_thread_a_matrix() -> AbstractContextManager[object]:
    """Keep SciPy's LAPACK, which JAX uses, to one thread for a matrix: at once, and until a `with` of the result ends.

    JAX solves a batch of eigenproblems on threads of its own. With threads of both, which wait for each other, nine
    matrices of 180 rows take 1.8 s on two cores instead of 0.03 s.
    """
    assert scipy.linalg.lapack is not None  # Loaded, so that its threads are there to be limited.
    libraries = ThreadpoolController()
    paths = {library.filepath for library in libraries.lib_controllers if library.user_api == "blas"}
    return libraries.select(filepath=[path for path in paths if Path(path).parent.name != _NUMPYS_OWN]).limit(limits=1)
