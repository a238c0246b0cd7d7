"""The one family of errors that a user is meant to read."""


class ForgeFieldError(Exception):
    """Something the user gave cannot be used; the message says what, where, and what to do."""


class InputError(ForgeFieldError, ValueError):
    """A file, a table or an option holds something that cannot be used."""


class UnfinishedJob(InputError):
    """The output of a job that did not end."""


class WriteError(InputError):
    """A file cannot be written: no room, no permission, no such folder; what was there before stays."""


class ConvergenceError(ForgeFieldError, RuntimeError):
    """What was computed did not converge; the message says what to change."""


class InputWarning(UserWarning):
    """A file holds something that looks meant to be read, and is not."""


class MissingParameters(ForgeFieldError, LookupError):
    """Stretches or bends have no parameters; the message lists all of them."""


class IgnoredStateWarning(UserWarning):
    """Charge or multiplicity were given to a force field that does not depend on them."""


def located(path: object, line: int | None, message: str) -> str:
    """Return `message` headed by the file and the 1-based line it is about."""
    return f"{path}: {message}" if line is None else f"{path}, line {line}: {message}"
