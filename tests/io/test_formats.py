"""A format is one row of a table: reading, writing and messages follow from it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forgefield.assign.rules import ModelRules
from forgefield.errors import InputError
from forgefield.io import formats
from forgefield.io.assemble.parts import Part
from forgefield.io.formats import Format, format_of
from forgefield.io.forcefields.native import read_native, write_native, write_rules
from forgefield.io.molecules import read_structures
from forgefield.io.rules import load
from forgefield.jobs.convert import convert, convert_force_field
from forgefield.jobs.estimate import estimate, write_estimated
from forgefield.jobs.fit.plan.choices import formats_named
from forgefield.models.core_repulsion import CoreRepulsion
