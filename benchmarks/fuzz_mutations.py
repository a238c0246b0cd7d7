"""Damages of files: what disks, transfers, editors and careless scripts do to them, and what nobody expects."""

import json
import random
import re
from typing import Any

NUMBERS = [
    *(b"0", b"-1", b"1e999", b"-1e308", b"1e11", b"1e-320", b"nan", b"NaN", b"inf", b"-Infinity", b"1_000", b"****"),
    *(b"123456789", b"99999999999999999999", b"9" * 400, b"0x1F", b"1.0D+400", b"1.5.2", b"--3", b"1e", b"+", b"true"),
    "١٢".encode(),
    "３".encode(),
    "−1".encode(),
]
PIECES = [
    *(
        b"\0",
        b"\xff\xfe",
        b"\x1b[31m",
        b"\r",
        b"\n",
        b"\n\n",
        b"\t",
        b" ",
        b'"',
        b"'",
        b"{",
        b"}",
        b"[",
        b"]",
        b"(",
        b")",
    ),
    *(b"<", b">", b"&", b"\\", b"|", b":", b"=", b"#", b"*", b"-", b"%s", b"{0}", b"../..", b"0" * 5000, b"(" * 2000),
    "é".encode(),
    "\u202e".encode(),
    "😀".encode(),
]
VALUES: list[Any] = [
    *(
        None,
        True,
        "",
        "x",
        "1",
        [],
        {},
        [[]],
        0,
        -1,
        0.5,
        1e300,
        -1e12,
        10**30,
        float("nan"),
        float("inf"),
        [1],
        {"a": 1},
    ),
]
_NUMBER = re.compile(rb"[-+]?\d+(?:\.\d*)?(?:[eEdD][-+]?\d+)?")
_WORD = re.compile(rb"\S+")


def mutated(content: bytes, source: random.Random, kind: str) -> bytes:
    """Return a file with one to four damages; `kind` is text, binary or json."""
    if kind == "json" and source.random() < 0.5:
        return _other_values(content, source)
    damages = _BINARY if kind == "binary" else _TEXT
    for _ in range(source.choice([1, 1, 1, 2, 3, 4])):
        content = source.choice(damages)(content, source)
    return content


def _place(content: bytes, source: random.Random) -> int:
    return source.randrange(len(content) + 1)


def _flip(content: bytes, source: random.Random) -> bytes:
    if not content:
        return content
    at = source.randrange(len(content))
    return content[:at] + bytes([content[at] ^ (1 << source.randrange(8))]) + content[at + 1 :]


def _delete(content: bytes, source: random.Random) -> bytes:
    at = _place(content, source)
    return content[:at] + content[at + source.choice([1, 1, 2, 5, 40, 500]) :]


def _duplicate(content: bytes, source: random.Random) -> bytes:
    at = _place(content, source)
    return content[:at] + content[max(at - source.choice([1, 5, 40, 500, 5000]), 0) :]


def _truncate(content: bytes, source: random.Random) -> bytes:
    return content[: _place(content, source)]


def _behead(content: bytes, source: random.Random) -> bytes:
    return content[_place(content, source) :]


def _insert(content: bytes, source: random.Random) -> bytes:
    at = _place(content, source)
    return content[:at] + source.choice(PIECES) + content[at:]


def _overwrite(content: bytes, source: random.Random) -> bytes:
    at, piece = _place(content, source), source.choice(PIECES)
    return content[:at] + piece + content[at + len(piece) :]


def _move(content: bytes, source: random.Random) -> bytes:
    """Overwrite one stretch by another."""
    first, second, length = _place(content, source), _place(content, source), source.choice([4, 30, 300])
    return content[:first] + content[second : second + length] + content[first + length :]


def _zeros(content: bytes, source: random.Random) -> bytes:
    """Lose a stretch to zeros, as a disk does."""
    at, length = _place(content, source), source.choice([1, 8, 512])
    return content[:at] + bytes(min(length, len(content) - at)) + content[at + length :]


def _of_lines(content: bytes, source: random.Random) -> bytes:
    lines = content.split(b"\n")
    at, other = source.randrange(len(lines)), source.randrange(len(lines))
    match source.randrange(5):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[other])
        case 2:
            lines[at], lines[other] = lines[other], lines[at]
        case 3:
            del lines[at : at + source.choice([2, 10, 100])]
        case _:
            lines[at] = lines[at][: source.randrange(len(lines[at]) + 1)]
    return b"\n".join(lines)


def _replaced(content: bytes, source: random.Random, what: re.Pattern, pieces: list[bytes]) -> bytes:
    found = what.search(content, _place(content, source)) or what.search(content)
    if found is None:
        return content
    return content[: found.start()] + source.choice(pieces) + content[found.end() :]


def _number(content: bytes, source: random.Random) -> bytes:
    return _replaced(content, source, _NUMBER, NUMBERS)


def _digit(content: bytes, source: random.Random) -> bytes:
    """Change one digit of a number, or swap two neighbours."""
    found = _NUMBER.search(content, _place(content, source)) or _NUMBER.search(content)
    if found is None:
        return content
    digits = [i for i in range(found.start(), found.end()) if content[i : i + 1].isdigit()]
    at = source.choice(digits)
    if at + 1 in digits and source.random() < 0.5:
        return content[:at] + content[at + 1 : at + 2] + content[at : at + 1] + content[at + 2 :]
    return content[:at] + str(source.randrange(10)).encode() + content[at + 1 :]


def _word(content: bytes, source: random.Random) -> bytes:
    words = [*PIECES, *NUMBERS, b"", source.choice(_WORD.findall(content) or [b""])]
    return _replaced(content, source, _WORD, words)


_BINARY = [_flip, _flip, _delete, _duplicate, _truncate, _insert, _overwrite, _move, _zeros, _number]
_TEXT = [*_BINARY[1:], _behead, _of_lines, _of_lines, _number, _number, _digit, _digit, _digit, _word, _word]


def _other_values(content: bytes, source: random.Random) -> bytes:
    """Put other values, or none, at some places of nested JSON."""
    tree = json.loads(content)
    for _ in range(source.randint(1, 3)):
        places = list(_places(tree, source))
        holder, key = source.choice(places)
        match source.randrange(4):
            case 0:
                del holder[key]
            case 1 if isinstance(holder[key], list) and holder[key]:
                holder[key] = holder[key][: source.randrange(len(holder[key]))]
            case 2:
                other, where = source.choice(places)
                holder[key] = other[where] if where in (other if isinstance(other, dict) else range(len(other))) else 1
            case _:
                holder[key] = source.choice(VALUES)
        if not isinstance(tree, dict) or not tree:
            break
    return json.dumps(tree, default=str, check_circular=False).encode() if not _circular(tree) else b"{}"


def _places(tree: Any, source: random.Random) -> list[tuple[Any, Any]]:
    """Return containers with a key of each on a random way down from the root, and of all that it passes."""
    found = []
    while isinstance(tree, dict | list) and tree:
        keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
        key = source.choice(keys)
        found.append((tree, key))
        tree = tree[key]
    return found or [({"": 1}, "")]


def _circular(tree: Any, above: tuple[int, ...] = ()) -> bool:
    if not isinstance(tree, dict | list):
        return False
    if id(tree) in above:
        return True
    inside = tree.values() if isinstance(tree, dict) else tree
    return any(_circular(one, (*above, id(tree))) for one in inside if isinstance(one, dict | list))
