"""The page on what `import forgefield` offers, from its docstrings."""

import forgefield

_BEGIN = """# Python

`import forgefield as ff` offers the names below; nothing heavy is imported before one of them is used. Everything is in
Å, kcal/mol, rad, amu and e. What cannot be done raises a `ForgeFieldError` whose message says what is wrong, where, and
what to do.
"""

_MEMBER = """::: forgefield.api.{name}
    options:
      heading: "{name}"
"""


def page() -> str:
    """Return the page in Markdown: functions first, then the nouns."""
    names = [name for name in forgefield.__all__ if not name.startswith("_")]
    ordered = sorted(names, key=lambda name: (name[0].isupper(), name))
    return "\n".join([_BEGIN, *(_MEMBER.format(name=name) for name in ordered)])
