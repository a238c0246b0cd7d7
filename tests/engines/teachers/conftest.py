"""ANI-1x is tested where its programs are: `make test-ani` brings them."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("torchani") else ["test_ani_teacher.py"]
