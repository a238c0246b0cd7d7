"""Makes schnetpack_*.npz and .json: random PaiNN models of SchNetPack and what it computes with them.

Needs schnetpack 2.1.1 with torch 2.13.0, which ForgeField itself does not: run it where these are installed.
"""

import json
from pathlib import Path

import numpy as np
import schnetpack as spk
import schnetpack.nn as snn
import torch
from ase.build import molecule
from schnetpack.atomistic import Atomwise, Forces, PairwiseDistances
from schnetpack.interfaces import AtomsConverter
from schnetpack.transform import AddOffsets, ASENeighborList

CUTOFF = 4.0
N, RADIAL = 8, 6


def main() -> None:
    torch.manual_seed(1)
    for name, basis, shared in (("gaussian", snn.GaussianRBF, False), ("sine", snn.BesselRBF, True)):
        representation = spk.representation.PaiNN(
            n_atom_basis=N,
            n_interactions=2,
            radial_basis=basis(RADIAL, CUTOFF),
            cutoff_fn=snn.CosineCutoff(CUTOFF),
            shared_filters=shared,
        )
        offsets = AddOffsets("energy", add_mean=True, add_atomrefs=True)
        offsets.atomref = torch.linspace(0.0, -50.0, 100)
        offsets.mean = torch.tensor([0.5])
        model = spk.model.NeuralNetworkPotential(
            representation,
            input_modules=[PairwiseDistances()],
            output_modules=[Atomwise(n_in=N, output_key="energy"), Forces(energy_key="energy")],
            postprocessors=[offsets],
        )
        for p in model.parameters():
            if p.ndim == 1:
                torch.nn.init.normal_(p, 0.0, 0.2)
        model.eval()
        atoms = molecule("CH3CH2OH")
        atoms.rattle(0.05, seed=1)
        found = model(AtomsConverter(neighbor_list=ASENeighborList(cutoff=CUTOFF), dtype=torch.float32)([atoms]))
        record = {
            "numbers": atoms.numbers.tolist(),
            "positions": atoms.positions.tolist(),
            "energy_ev": float(found["energy"].detach()),
            "forces_ev_a": found["forces"].detach().numpy().tolist(),
        }
        folder = Path(__file__).parent
        np.savez_compressed(
            folder / f"schnetpack_{name}.npz", **{k: v.detach().numpy() for k, v in model.state_dict().items()}
        )
        (folder / f"schnetpack_{name}.json").write_text(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
