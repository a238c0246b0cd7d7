"""ANI-1x (Smith et al., J. Chem. Phys. 2018, 148, 241733) as a teacher: eight networks that come with torchani."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from forgefield import units
from forgefield.engines.qm.engine import missing_extra
from forgefield.engines.teachers.teacher import AbstractTeacher, Directions, Identity, bare_label
from forgefield.errors import InputError
from forgefield.molecules.molecule import HessianProducts, Molecule, Reference, symbol

try:
    with warnings.catch_warnings():
        # Of what torchani could use, and of how it finds its version.
        warnings.simplefilter("ignore")
        import torch  # pyright: ignore[reportMissingImports] (in an environment of its own: make test-ani)
        import torchani.neurochem  # pyright: ignore[reportMissingImports] (as above)
except ImportError as error:
    raise missing_extra("torchani", error, "ani") from error

MEMBERS = 8
_FILES = "resources/ani-1x_8x"
_PARAMETERS = "rHCNO-5.2R_16-3.5A_a4-8.params"


@dataclass(frozen=True, eq=False)
class AniTeacher(AbstractTeacher):
    """One network of ANI-1x, or the mean of all eight, in double precision: singlets of H, C, N and O without charge.

    Products are exact where its energy has second derivatives: those of its activation (CELU) jump at zero.
    """

    member: int | None = None
    """From 0 to 7; the mean of all eight where there is none."""
    _loaded: list["_Networks"] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        if self.member is not None and not 0 <= self.member < MEMBERS:
            raise InputError(f"ANI-1x has the members 0 to {MEMBERS - 1}, and no member {self.member}")

    @property
    def identity(self) -> Identity:
        """Name and member, and the versions of the packages that compute it."""
        programs = f"torchani {version('torchani')}, torch {version('torch').partition('+')[0]}"
        return Identity("ANI-1x", programs, {"member": "mean of 8" if self.member is None else self.member})

    @property
    def acts_on_bonds(self) -> bool:
        """No."""
        return False

    def check(self, molecule: Molecule) -> None:
        """Raise InputError for other elements, a charge, or unpaired electrons, of which the networks know nothing."""
        other = sorted({symbol(int(z)) for z in molecule.species} - {*self._networks.species})
        problems = [f"it holds {', '.join(other)}"] if other else []
        problems += [f"its charge is {molecule.charge:+d}"] if molecule.charge else []
        problems += [f"its multiplicity is {molecule.multiplicity}"] if molecule.multiplicity != 1 else []
        if problems:
            raise InputError(
                f"{molecule.source or molecule.name}: {' and '.join(problems)}; ANI-1x knows neutral singlets of "
                f"{', '.join(self._networks.species)}"
            )

    def label(self, molecule: Molecule, directions: Directions | None = None) -> Reference:
        """Return energy, gradient and the energies of atoms, and exact products along directions."""
        self.check(molecule)
        kinds = [self._networks.species.index(name) for name in molecule.symbols]
        positions = torch.tensor(np.asarray(molecule.positions), dtype=torch.float64, requires_grad=True)
        each = self._networks.energies(kinds, positions)
        slopes = torch.autograd.grad(each.sum(), positions, create_graph=directions is not None)[0]
        gradient = slopes.detach().numpy() * units.HARTREE
        energies = each.detach().numpy() * units.HARTREE
        label = bare_label(molecule, self.identity, float(energies.sum()), gradient)
        label = replace(label, atomic_energies=energies)
        if directions is None:
            return label
        along = torch.tensor(directions, dtype=torch.float64)
        values = [
            torch.autograd.grad((slopes * direction).sum(), positions, retain_graph=True)[0].numpy()
            for direction in along
        ]
        return replace(label, products=HessianProducts(directions, np.stack(values) * units.HARTREE))

    def __reduce__(self) -> tuple[type["AniTeacher"], tuple[int | None]]:
        """Travel without the networks, which are loaded anew."""
        return AniTeacher, (self.member,)

    @property
    def _networks(self) -> "_Networks":
        if not self._loaded:
            members = range(MEMBERS) if self.member is None else [self.member]
            self._loaded.append(_Networks(members))
        return self._loaded[0]


class _Networks:
    """Networks of ANI-1x with what they act on."""

    def __init__(self, members: Sequence[int]) -> None:
        folder = Path(str(torchani.__file__)).parent / _FILES
        constants = torchani.neurochem.Constants(str(folder / _PARAMETERS))
        self.species: list[str] = constants.species
        self._environments = torchani.AEVComputer(**constants).double()
        self._alone = torchani.neurochem.load_sae(str(folder / "sae_linfit.dat")).self_energies.double()
        self._members = [
            torchani.neurochem.load_model(self.species, str(folder / f"train{k}" / "networks")).double()
            for k in members
        ]

    def energies(self, kinds: Sequence[int], positions: Any) -> Any:
        """Return the energy of each atom [Hartree] at positions [Å]."""
        species = torch.tensor(kinds)
        environments = self._environments((species[None], positions[None]))
        found = [member._atomic_energies(environments)[0] for member in self._members]
        return torch.stack(found).mean(dim=0) + self._alone[species]
