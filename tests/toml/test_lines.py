"""On which line each place of a TOML file begins."""

from forgefield.toml.lines import lines

TEXT = """# a comment with [brackets] = "and quotes
title = "# no comment" # [nor = a table]
when = 1979-05-27 07:32:00
[fit] # settings
prior.k = 0.5
long = '''
[not.a.table]
x = 1'''
short = \"\"\"a \\\"\"\" b\"\"\"
"a.b".c = 1
[[molecules]]
reference = [
  "a,]", # the first
  { deep = [1, 2] },
]
[[molecules]]
bands = [{ lowest = 1 }, { lowest = 2,
  weight = 3 }]
[molecules.more]
x = [[]]
[[molecules.parts]]
n = 1
[[molecules.parts]]
n = 2
"""


def test_each_key_and_entry_has_its_line():
    found = lines(TEXT)

    assert found == {
        ("title",): 2,
        ("when",): 3,
        ("fit",): 4,
        ("fit", "prior"): 5,
        ("fit", "prior", "k"): 5,
        ("fit", "long"): 6,
        ("fit", "short"): 9,
        ("fit", "a.b"): 10,
        ("fit", "a.b", "c"): 10,
        ("molecules",): 11,
        ("molecules", 0): 11,
        ("molecules", 0, "reference"): 12,
        ("molecules", 0, "reference", 0): 13,
        ("molecules", 0, "reference", 1): 14,
        ("molecules", 0, "reference", 1, "deep"): 14,
        ("molecules", 0, "reference", 1, "deep", 0): 14,
        ("molecules", 0, "reference", 1, "deep", 1): 14,
        ("molecules", 1): 16,
        ("molecules", 1, "bands"): 17,
        ("molecules", 1, "bands", 0): 17,
        ("molecules", 1, "bands", 0, "lowest"): 17,
        ("molecules", 1, "bands", 1): 17,
        ("molecules", 1, "bands", 1, "lowest"): 17,
        ("molecules", 1, "bands", 1, "weight"): 18,
        ("molecules", 1, "more"): 19,
        ("molecules", 1, "more", "x"): 20,
        ("molecules", 1, "more", "x", 0): 20,
        ("molecules", 1, "parts"): 21,
        ("molecules", 1, "parts", 0): 21,
        ("molecules", 1, "parts", 0, "n"): 22,
        ("molecules", 1, "parts", 1): 23,
        ("molecules", 1, "parts", 1, "n"): 24,
    }
