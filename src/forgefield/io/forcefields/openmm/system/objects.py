"""Systems of OpenMM as objects of Python."""

import sys

from forgefield.assign.explicit.rules import SystemRules
from forgefield.io.forcefields.openmm.system.reader import rules_of_xml


def rules_of_object(given: object) -> SystemRules | None:
    """Return the force field of an `openmm.System`; None for anything else. Raises InputError as for its XML."""
    openmm = sys.modules.get("openmm")
    if openmm is None or not isinstance(given, openmm.System):
        return None
    return rules_of_xml(openmm.XmlSerializer.serialize(given), "openmm.System")
