"""OpenMM itself."""

import pytest

from forgefield import units


@pytest.fixture
def in_openmm():
    """Energy [kcal/mol] and forces [kcal/mol/Å] of a System's XML at positions [Å]."""
    openmm = pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")

    def found(xml, positions):
        system = openmm.XmlSerializer.deserialize(xml)
        platform = openmm.Platform.getPlatformByName("Reference")
        context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
        context.setPositions(positions / units.NANOMETRE)
        state = context.getState(getEnergy=True, getForces=True)
        forces = state.getForces(asNumpy=True)._value * units.KILOJOULE / units.NANOMETRE
        return state.getPotentialEnergy()._value * units.KILOJOULE, forces

    return found
