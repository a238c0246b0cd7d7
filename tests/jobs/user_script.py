"""What a user may write: reads, estimates, fits, looks at tables, evaluates and writes."""

import forgefield as ff

structures = ff.read("ch3f.json")
estimated = ff.estimate("ch3f.json", form="harmonic")
outcome = ff.fit("FIT.toml", "run")
print(estimated, outcome, structures, estimated.parameters, outcome.frequencies, sep="\n")
moved = {p.name: (p.value - p.start, p.unit) for p in outcome.parameters if p.trained}
worst = max(outcome.frequencies, key=lambda mode: abs(mode.model - mode.reference))
evaluated = ff.evaluate("run", "ch3f.json")
print(moved, worst.molecule, worst.model, evaluated.energies[0], outcome.metrics, ff.modes("run", "ch3f.json").table)
ff.write("fitted.frcmod", outcome)
ff.write("ch3f.xyz", structures, drop=["Hessian", "frequencies", "bonds"])
