// Shows the structures of a molecule when its section is opened for the first time.
"use strict";
const PLAIN = "0xd06a1c";

function addAtoms(viewer, entry, positions) {
  const model = viewer.addModel();
  const around = entry.elements.map(() => []);
  for (const [a, b] of entry.bonds) { around[a].push(b); around[b].push(a); }
  model.addAtoms(entry.elements.map((elem, i) => ({
    elem, serial: i + 1, atom: elem + (i + 1), x: positions[i][0], y: positions[i][1], z: positions[i][2],
    bonds: around[i], bondOrder: around[i].map(() => 1),
  })));
  return model;
}

function label(viewer, atom) {
  viewer.removeAllLabels();
  viewer.addLabel(atom.atom, { position: atom, fontSize: 13, backgroundOpacity: 0.7 });
  viewer.render();
}

function show(details) {
  const box = details.querySelector(".viewer");
  const entry = JSON.parse(details.querySelector("script").textContent);
  try {
    const viewer = $3Dmol.createViewer(box, { backgroundColor: "white" });
    addAtoms(viewer, entry, entry.reference).setStyle({}, { stick: { radius: 0.06 }, sphere: { scale: 0.13 } });
    addAtoms(viewer, entry, entry.model).setStyle({}, { stick: { radius: 0.07, color: PLAIN } });
    for (const [a, b] of entry.worst) {
      const [start, end] = [a, b].map(i => ({ x: entry.model[i][0], y: entry.model[i][1], z: entry.model[i][2] }));
      viewer.addCylinder({ start, end, radius: 0.18, color: PLAIN, opacity: 0.45, fromCap: 1, toCap: 1 });
    }
    viewer.setHoverable({}, true, atom => label(viewer, atom), () => viewer.removeAllLabels());
    viewer.zoomTo();
    viewer.render();
    box.dataset.atoms = viewer.selectedAtoms({}).length;
  } catch (error) {
    box.textContent = "This browser shows no 3D drawings (WebGL); the table below holds the same deviations.";
    box.classList.add("failed");
  }
}

for (const details of document.querySelectorAll("details.structure")) {
  details.addEventListener("toggle", () => show(details), { once: true });
}
