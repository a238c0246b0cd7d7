"""The rows of a force field: which types a parameter belongs to, and where its value stands."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from forgefield.terms.term import Term


@dataclass(frozen=True)
class Row:
    """One row of a force field: a term, the atom types it applies to, and where its own parameters stand."""

    term: Term
    types: tuple[str, ...]
    indices: tuple[int, ...]
    """Places of the term's own parameters in the model's flat vector of values."""
    line: int | None = None
    """1-based line of the force-field file it came from."""
    section: str = ""
    """The substructure or table it stands in."""
    mark: str = ""
    """What tells it from other rows of the same types."""

    @property
    def name(self) -> str:
        """The name a chemist recognises, such as `stretch C3-H1`."""
        where = f" (line {self.line})" if self.line is not None else ""
        mark = f" {self.mark}" if self.mark else ""
        return f"{self.term.kind} {'-'.join(self.types)}{mark}{where}"

    def matches(self, pattern: str) -> bool:
        """Say whether a pattern means this row: `substructure:TITLE*`, `line:N`, or a name with * and ?."""
        kind, _, rest = pattern.partition(":")
        match kind:
            case "substructure":
                return fnmatchcase(self.section.strip(), rest)
            case "line":
                return rest.strip() == str(self.line)
            case _:
                return fnmatchcase(self.name, pattern)

    def parameter_name(self, position: int) -> str:
        """Return the name of one of its parameters, such as `stretch C3-H1 k`."""
        return f"{self.name} {self.term.parameters[position].name}"
