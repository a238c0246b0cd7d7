// Shows structures and vibrations of the molecules, one at a time, once their place on the page is seen.
"use strict";
(() => {
  const section = document.getElementById("viewer");
  const box = section.querySelector(".viewer");
  const molecules = JSON.parse(document.getElementById("molecules").textContent);
  const panels = [...document.querySelectorAll(".molecule")];
  const [chosen, mode] = ["molecule", "mode"].map(name => section.querySelector(`select[name=${name}]`));
  const button = name => section.querySelector(`button[name=${name}]`);
  const pressed = name => button(name).getAttribute("aria-pressed") === "true";
  const PLAIN = "0xd06a1c", AMPLITUDE = 0.6;
  let viewer = null, begun = false;

  // The library lies packed in the page, since it is most of its size.
  async function library() {
    const packed = Uint8Array.from(atob(document.getElementById("3dmol").textContent), c => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
  }

  const ground = () => getComputedStyle(document.documentElement).getPropertyValue("--ground").trim();

  function addAtoms(entry, positions, moved) {
    const model = viewer.addModel();
    const around = entry.elements.map(() => []);
    for (const [a, b] of entry.bonds) { around[a].push(b); around[b].push(a); }
    model.addAtoms(entry.elements.map((elem, i) => {
      const [x, y, z] = positions[i], [dx, dy, dz] = (moved ? moved[i] : [0, 0, 0]).map(one => one / 100);
      return { elem, serial: i + 1, atom: elem + (i + 1), x, y, z, dx, dy, dz,
        bonds: around[i], bondOrder: around[i].map(() => 1) };
    }));
    return model;
  }

  function addReference(entry, moved) {
    const model = addAtoms(entry, entry.reference, moved);
    model.setStyle({}, { stick: { radius: 0.06 }, sphere: { scale: 0.13 } });
    return model;
  }

  function addRelaxed(entry) {
    addAtoms(entry, entry.model).setStyle({}, { stick: { radius: 0.07, color: PLAIN } });
    for (const [a, b] of entry.worst) {
      const [start, end] = [a, b].map(i => ({ x: entry.model[i][0], y: entry.model[i][1], z: entry.model[i][2] }));
      viewer.addCylinder({ start, end, radius: 0.18, color: PLAIN, opacity: 0.45, fromCap: 1, toCap: 1 });
    }
  }

  function label(atom) {
    viewer.addLabel(atom.atom, { position: atom, fontSize: 13, backgroundOpacity: 0.7 });
  }

  function labels() {
    viewer.removeAllLabels();
    if (pressed("labels")) viewer.selectedAtoms({ model: 0 }).forEach(label);
    viewer.render();
  }

  function draw() {
    const entry = molecules[chosen.value], motion = entry.modes[mode.value];
    viewer.stopAnimate();
    viewer.removeAllModels();
    viewer.removeAllShapes();
    viewer.setBackgroundColor(ground());
    if (motion) {
      const model = addReference(entry, motion.moved);
      // What vibrates must have a frame to come back to.
      model.addFrame(model.selectedAtoms({}));
      model.vibrate(16, AMPLITUDE, true);
      viewer.animate({ interval: 40, loop: "backAndForth" });
    } else {
      if (pressed("reference") || !entry.model) addReference(entry);
      if (pressed("model") && entry.model) addRelaxed(entry);
    }
    viewer.setHoverable({}, true, atom => { label(atom); viewer.render(); }, labels);
    labels();
    box.dataset.atoms = viewer.selectedAtoms({}).length;
    box.dataset.moving = motion ? motion.name : "";
  }

  function choose(place) {
    const entry = molecules[place];
    chosen.value = place;
    panels.forEach((panel, k) => { panel.hidden = k !== place; });
    mode.replaceChildren(new Option("no vibration", ""), ...entry.modes.map((one, k) => new Option(one.name, k)));
    mode.disabled = !entry.modes.length;
    for (const name of ["reference", "model"]) button(name).disabled = !entry.model;
    if (!viewer) return;
    draw();
    viewer.zoomTo();
    viewer.render();
  }

  function step(by) { choose((Number(chosen.value) + by + molecules.length) % molecules.length); }

  function toggle(name, act) {
    button(name).addEventListener("click", () => {
      button(name).setAttribute("aria-pressed", String(!pressed(name)));
      if (viewer) act();
    });
  }

  async function begin() {
    if (begun) return;
    begun = true;
    try {
      await library();
      viewer = $3Dmol.createViewer(box, { backgroundColor: ground() });
      choose(Number(chosen.value));
    } catch (error) {
      viewer = null;
      box.textContent = "This browser shows no 3D drawings (WebGL); the tables hold the same deviations.";
      box.classList.add("failed");
    }
  }

  chosen.append(...molecules.map((one, k) => new Option(one.name, k)));
  chosen.addEventListener("change", () => choose(Number(chosen.value)));
  mode.addEventListener("change", () => viewer && draw());
  button("previous").addEventListener("click", () => step(-1));
  button("next").addEventListener("click", () => step(1));
  button("reset").addEventListener("click", () => {
    if (!viewer) return;
    viewer.setView([0, 0, 0, 0, 0, 0, 0, 1]);
    viewer.zoomTo();
    viewer.render();
  });
  toggle("spin", () => viewer.spin(pressed("spin") ? "y" : false));
  toggle("labels", labels);
  toggle("reference", draw);
  toggle("model", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => viewer && draw());
  for (const name of ["previous", "next"]) button(name).disabled = molecules.length < 2;
  section.hidden = false;
  choose(0);
  section.addEventListener("click", begin);
  new IntersectionObserver(seen => seen.some(one => one.isIntersecting) && begin(), { rootMargin: "200px" }).observe(box);
})();
