"""The scripts of a report's page, and what its Content-Security-Policy must allow for them."""

import base64
import gzip
import hashlib
from dataclasses import dataclass
from importlib import resources

from markupsafe import Markup

_TABLES, _VIEWER = "tables.js", "viewer.js"
# 3Dmol.js 2.5.5 (BSD), see 3Dmol-LICENSES.txt.
_LIBRARY = "3Dmol-min.js"


@dataclass(frozen=True)
class Scripts:
    """What runs in a page."""

    texts: tuple[Markup, ...]
    """In order, at the end of the page."""
    library: str
    """The library that draws in 3D, as gzip in base64, which the page unpacks where it is needed; or nothing."""
    policy: str
    """Sources of scripts: hashes of all of them, of the library unpacked."""


def scripts(*, draws: bool) -> Scripts:
    """Return the scripts of a page; the library is among them only where structures are drawn."""
    names = [_TABLES, *([_VIEWER] if draws else [])]
    texts = [_text(name) for name in names]
    library = _text(_LIBRARY) if draws else ""
    hashed = [*texts, *([library] if draws else [])]
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in hashed]
    return Scripts(
        # Trusted: files of this package.
        texts=tuple(Markup(text) for text in texts),
        library=base64.b64encode(gzip.compress(library.encode(), mtime=0)).decode() if draws else "",
        policy=" ".join(f"'sha256-{digest}'" for digest in digests),
    )


def _text(name: str) -> str:
    return resources.files("forgefield.report").joinpath(name).read_text(encoding="utf-8")
