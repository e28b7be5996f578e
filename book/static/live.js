// The live page: controls around SpinForecast (forecast.js), its data (data.js) and drawing.js.
"use strict";
(function () {
  const data = window.SPINODE || { models: {}, missing: {} };
  const notebook = { skyrmion: "02_training", oscillator: "06_oscillator", material: "05_material_parameters" };
  const $ = (root, name) => root.querySelector(name);
  const { colours, fit, axes, plot, panel, still, drawDisk } = window.SpinDrawing;
  let ink = colours();  // of the theme, which the reader may change

  // --- drives -------------------------------------------------------------------------------
  function random(seed) {  // normal numbers, the same on every visit
    let state = seed;
    const uniform = () => { state = (1664525 * state + 1013904223) >>> 0; return (state + .5) / 4294967296; };
    return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  }
  function mackeyGlass() {  // one value a unit of time, in ten Euler steps
    const past = new Float64Array(171).fill(1.2);
    let at = 0, x = 1.2;
    return () => {
      for (let i = 0; i < 10; i++) {
        const late = past[at];
        x += .1 * (.2 * late / (1 + Math.pow(late, 10)) - .1 * x);
        past[at] = x; at = (at + 1) % 170;
      }
      return x;
    };
  }
  // A drive gives the input (in units of the training amplitude, -1 to 1) at thirds of samples.
  function synthetic(name, period) {
    const normal = random(7);
    if (name === "a sine") return (third) => .8 * Math.sin(2 * Math.PI * third / (3 * period));
    if (name === "steps") return (third) => [.6, -.6, .2, -.8][Math.floor(third / (3 * 2 * period)) % 4];
    let hold = -1, value = 0;
    if (name === "noise") {
      return (third) => { const n = Math.floor(third / (3 * 8)); if (n !== hold) { hold = n; value = Math.max(-.95, Math.min(.95, .45 * normal())); } return value; };
    }
    const series = mackeyGlass(), mask = Array.from({ length: 50 }, () => .3 * normal());
    let point = -1, u = 0;
    return (third) => {
      const n = Math.floor(third / 6);
      if (n !== hold) {
        hold = n;
        if (Math.floor(n / 50) !== point) { point = Math.floor(n / 50); u = series(); }
        value = Math.max(-.95, Math.min(.95, u * mask[n % 50]));
      }
      return value;
    };
  }

  // --- a device that runs -------------------------------------------------------------------
  const KEPT = 800;
  class Player {
    constructor(root, tab, settings) {
      Object.assign(this, settings);
      this.root = root; this.tab = tab; this.model = data.models[tab];
      this.net = new SpinForecast(this.model);
      this.channel = this.model.inputs[0]; this.scope = $(root, ".live-scope");
      this.span = this.model.trained[this.channel.name];
      this.drawn = new Float64Array(400);
      // The last samples, going round: the next is written at `at`.
      for (const name of ["outputs", "inputs", "answers"]) this[name] = new Float64Array(KEPT);
      this.hand = this.channel.offset;
      this.paused = false;
      this.recent = [];
      this.fill();
      this.again();
    }

    fill() {
      const select = $(this.root, ".live-drive");
      const names = ["by hand", ...(this.pad ? ["drawn on the pad"] : []), "a sine", "steps", "noise", "Mackey-Glass"];
      const recorded = this.tab === "skyrmion" ? Object.keys(data.drives || {}) : [];
      select.append(...names.map((name) => new Option(name, name)));
      if (recorded.length) {
        const group = document.createElement("optgroup");
        group.label = "recorded, with micromagnetics beside it";
        group.append(...recorded.map((name) => new Option(name, "recorded:" + name)));
        select.append(group);
      }
      select.value = recorded.length ? "recorded:" + recorded[0] : "a sine";
      select.addEventListener("change", () => this.again());
      const hand = $(this.root, ".live-hand"), shown = hand.parentElement.querySelector("output");
      const set = () => { this.hand = Number(hand.value); shown.textContent = this.show(this.hand); };
      hand.addEventListener("input", () => { set(); if (select.value !== "by hand") { select.value = "by hand"; this.pick(); } });
      set();
      const speed = $(this.root, ".live-speed"), rate = speed.parentElement.querySelector("output");
      const setSpeed = () => { this.speed = Math.round(10 ** Number(speed.value)); rate.textContent = this.speed; };
      speed.addEventListener("input", setSpeed); setSpeed();
      $(this.root, ".live-again").addEventListener("click", () => this.again());
      const pause = $(this.root, ".live-pause");
      pause.addEventListener("click", () => {
        this.paused = !this.paused;
        pause.setAttribute("aria-pressed", String(this.paused)); pause.textContent = this.paused ? "Go on" : "Pause";
      });
      const noise = $(this.root, ".live-noise");
      if (noise && !data.noise) { noise.checked = false; noise.disabled = true; noise.parentElement.title = "Its strength has not been estimated yet: notebook 06 does it."; }
      if (noise) { this.noisy = noise.checked; noise.addEventListener("change", () => { this.noisy = noise.checked; }); }
      if (this.pad) this.usePad($(this.root, ".live-pad"), select);
    }

    usePad(canvas, select) {
      this.padCanvas = canvas;
      let drawing = false, last = null;
      const put = (event) => {
        const box = canvas.getBoundingClientRect();
        const n = Math.min(399, Math.max(0, Math.floor((event.clientX - box.left) / box.width * 400)));
        const down = (event.clientY - box.top - 18) / (box.height - 19);  // within its panel
        const v = 1.5 * (1 - 2 * Math.min(1, Math.max(0, down)));
        const from = last === null ? n : last;
        for (let i = Math.min(from, n); i <= Math.max(from, n); i++) this.drawn[i] = v;
        last = n; this.strokes = (this.strokes || 0) + 1;
      };
      canvas.addEventListener("pointerdown", (event) => {
        drawing = true; last = null; canvas.setPointerCapture(event.pointerId); put(event);
        if (select.value !== "drawn on the pad") { select.value = "drawn on the pad"; this.pick(); }
      });
      canvas.addEventListener("pointermove", (event) => { if (drawing) put(event); });
      canvas.addEventListener("pointerup", () => { drawing = false; });
    }

    pick() {
      const name = $(this.root, ".live-drive").value;
      const { offset } = this.channel, half = (this.span[1] - this.span[0]) / 2;
      this.recording = name.startsWith("recorded:") ? data.drives[name.slice(9)] : null;
      if (this.recording) this.drive = (third) => this.recording.inputs[Math.min(third, this.recording.inputs.length - 1)];
      else if (name === "by hand") this.drive = () => this.hand;
      else if (name === "drawn on the pad") this.drive = (third) => offset + half * this.drawn[Math.floor(third / 3) % 400];
      else {
        const wave = synthetic(name, this.period);
        this.drive = (third) => offset + half * wave(third);
      }
      this.third = 0;  // of the drive's own time
      this.queue = new Float64Array(3 * this.model.k + 1);
      this.columns = [this.queue];
      this.filled = false; this.push = 0;
    }

    again() {
      this.pick();
      const rest = this.model.output.offset;
      this.net.start(this.recording ? this.recording.answer.slice(0, this.model.k) : new Array(this.model.k).fill(rest));
      this.samples = 0; this.outside = false;
      for (const list of [this.outputs, this.inputs, this.answers]) list.fill(NaN);
      this.at = 0;
    }

    // Compute some samples; the drive is looked ahead by the model's delays.
    advance(count) {
      const ahead = 3 * (this.model.k - 1) + 1, normal = this.normal || (this.normal = random(3));
      const end = this.recording ? this.recording.answer.length - this.model.k : Infinity;
      for (let n = 0; n < count; n++) {
        if (this.third / 3 >= end) this.again();
        const queue = this.queue;
        // What was looked ahead moves to the front; three new thirds follow (at first, all).
        if (this.filled) queue.copyWithin(0, 3);
        for (let i = this.filled ? ahead : 0; i < ahead + 3; i++) {
          const next = this.third + i;
          if (next % 3 === 0) this.push = this.noisy && data.noise ? data.noise.estimate * normal() : 0;
          queue[i] = this.net.normalize(this.drive(next) + this.push, 0);
        }
        this.filled = true;
        this.outputs[this.at] = this.net.value;
        this.inputs[this.at] = this.drive(this.third);
        this.answers[this.at] = this.recording ? this.recording.answer[this.third / 3] : NaN;
        this.at = (this.at + 1) % KEPT;
        if (!this.net.step(this.columns, 0)) return;
        this.third += 3; this.samples++;
      }
    }

    frame(now) {
      const before = performance.now();
      if (!this.paused && !this.net.stopped) this.advance(this.speed);
      const spent = performance.now() - before;
      this.draw();
      this.recent.push([now, this.paused || this.net.stopped ? 0 : this.speed, spent]);
      while (this.recent.length > 60) this.recent.shift();
      if (!(this.tick = ((this.tick || 0) + 1) % 15)) this.report();
    }

    draw() {
      const c = ink, canvas = this.scope, { pen, width, height } = fit(canvas);
      const left = 58, inner = width - left - 6, half = (this.span[1] - this.span[0]) / 2, middle = (this.span[1] + this.span[0]) / 2;
      const above = [left, 18, inner, height * .3], top = height * .3 + 40, below = [left, top, inner, height - top - 20];
      const seen = this.model.trained[this.model.output.name], margin = .35 * (seen[1] - seen[0]);
      const driven = [middle - 1.5 * half, middle + 1.5 * half], shown = [seen[0] - margin, seen[1] + margin];
      still(canvas, [c.key, !this.recording], (under) => {
        axes(under, above, driven, { colours: c, label: this.inputLabel + "; green: trained range", format: this.tickIn, band: this.span, ticks: [this.span[0], middle, this.span[1]] });
        axes(under, below, shown, { colours: c, label: this.outputLabel + (this.recording ? "; orange: micromagnetics" : ""), format: this.tickOut, band: seen, ticks: [seen[0], seen[1]] });
        under.fillStyle = c.text; under.textAlign = "right";
        under.fillText(`the last ${this.time(KEPT * this.model.spacing)}`, width - 6, height - 4);
      });
      const from = this.at, curves = [{ values: this.outputs, from, colour: c.output }];
      if (this.recording) curves.unshift({ values: this.answers, from, colour: c.recorded, width: 4 });
      plot(pen, above, driven, [{ values: this.inputs, from, colour: c.faint }]);
      plot(pen, below, shown, curves);
      if (this.disk && data.pictures) drawDisk(this.disk, data.pictures, this.net.value);
      if (this.padCanvas) this.drawPad(c);
    }

    drawPad(c) {  // anew only where somebody draws
      const canvas = this.padCanvas, key = [c.key, this.strokes, canvas.clientWidth].join();
      if (this.padKey === key) return;
      this.padKey = key;
      const { pen, width, height } = fit(canvas);
      panel(pen, [0, 18, width - 1, height - 19], [-1.5, 1.5], [{ values: this.drawn, colour: c.output, width: 2 }],
        { colours: c, label: "draw a voltage here", format: () => "", band: [-1, 1] });
    }

    report() {
      const status = $(this.root, ".live-status"), value = this.inputs.at(this.at - 1), [low, high] = this.span;
      const slack = .02 * (high - low);
      const out = value < low - slack || value > high + slack;
      let text = "The drive is inside of the trained range.";
      if (this.net.stopped) text = `Stopped: the forecast left the range it was trained in, as spinode.forecast would say. Start again.`;
      else if (out) text = `The drive (${this.show(value)}) is outside of the trained range, ${this.show(low)} to ${this.show(high)}: the forecast extrapolates.`;
      if (status.textContent !== text) status.textContent = text;
      status.classList.toggle("outside", out || this.net.stopped);
      const seconds = (this.recent.at(-1)[0] - this.recent[0][0]) / 1000 || 1;
      const samples = this.recent.slice(1).reduce((sum, one) => sum + one[1], 0);
      const spent = this.recent.reduce((sum, one) => sum + one[2], 0) / this.recent.length;
      const rate = samples * this.model.spacing / seconds;
      const rows = [["simulated a second", this.time(rate)], [this.outputLabel, this.tickOut(this.net.value)],
        ["frames a second", ((this.recent.length - 1) / seconds).toFixed(0)],
        ["computing a frame", spent.toFixed(2) + " ms"]];
      if (this.tab === "skyrmion" && data.micromagnetics) {
        const times = (r) => { const v = r * 1e9 * data.micromagnetics.seconds; return (v < 10 ? v.toFixed(1) : Math.round(v).toLocaleString("en")) + " times"; };
        rows.unshift(["as fast as micromagnetics, as shown", times(rate)]);
        // A browser tells time in steps of 0.1 ms: the mean of 60 frames is good to some per cent.
        const whole = spent > .02 ? times(this.speed * this.model.spacing / (spent / 1000)) : "…";
        rows.unshift([`as fast as micromagnetics (${data.micromagnetics.where}), computing without a pause`, whole]);
      }
      const hint = $(this.root, ".live-source");
      if (hint) hint.textContent = this.recording ? `Orange: micromagnetics of the same drive, by ${this.recording.source}.` : "";
      counters(this.root, rows);
    }
  }
  function counters(root, rows) {
    $(root, ".live-counters").replaceChildren(...rows.flatMap(([name, value]) => {
      const term = document.createElement("dt"), text = document.createElement("dd");
      term.textContent = name; text.textContent = value;
      const group = document.createElement("div"); group.append(term, text);
      return [group];
    }));
  }

  // --- material parameters ------------------------------------------------------------------
  function amplitudes(signal) {  // mean removed, zero-padded to 1024, as the package's spectrum
    const n = 1024, mean = signal.reduce((a, b) => a + b, 0) / signal.length, found = [];
    for (let bin = 0; bin < 160; bin++) {
      let re = 0, im = 0;
      const turn = 2 * Math.PI * bin / n;
      let c = 1, s = 0; const cs = Math.cos(turn), sn = Math.sin(turn);
      for (const value of signal) { re += (value - mean) * c; im -= (value - mean) * s; [c, s] = [c * cs - s * sn, s * cs + c * sn]; }
      found.push(Math.hypot(re, im));
    }
    return found;
  }
  class Material {
    constructor(root) {
      this.root = root; this.model = data.models.material; this.net = new SpinForecast(this.model);
      for (const [name, show] of [[".live-ku", (v) => (v / 1e6).toFixed(3) + " MJ/m³"], [".live-d", (v) => (v * 1e3).toFixed(2) + " mJ/m²"]]) {
        const input = $(root, name), text = input.parentElement.querySelector("output");
        const set = () => { text.textContent = show(Number(input.value)); this.stale = true; };
        input.addEventListener("input", set); set();
      }
      this.curve = []; this.at = 0;
    }
    // Ring a device: 1 ns to settle, 1 ns of a raised D, 3 ns free. Returns the output (SI).
    ring(Ku, D) {
      const spacing = this.model.spacing, ns = Math.round(1e-9 / spacing);
      const total = 5 * ns, Kus = new Float64Array(3 * total + 1).fill(Ku), Ds = new Float64Array(3 * total + 1).fill(D);
      Ds.fill(D + 1e-4, 3 * ns, 6 * ns);
      const out = this.net.forecast([Kus, Ds], new Array(this.model.k).fill(this.model.output.offset));
      return { out, ringing: out.slice(2 * ns, 2 * ns + 600), whole: out.length >= total };
    }
    peak(Ku, D) {
      const { ringing, whole } = this.ring(Ku, D);
      if (!whole) return NaN;
      const found = amplitudes(ringing);
      return found.indexOf(Math.max(...found)) / (1024 * this.model.spacing) / 1e9;
    }
    frame() {
      const Ku = Number($(this.root, ".live-ku").value), D = Number($(this.root, ".live-d").value);
      if (D !== this.D) { this.D = D; this.curve = []; }
      if (this.curve.length < 41) this.curve.push(this.peak(7e5 + 5e3 * this.curve.length, D));
      else if (!this.stale && this.theme === ink.key) return;
      this.theme = ink.key;
      const c = ink;
      if (this.stale || !this.now) { this.now = this.ring(Ku, D); this.spectrum = amplitudes(this.now.ringing); this.stale = false; }
      let area = fit($(this.root, ".live-ring"));
      const shown = this.now.out.slice(200), low = Math.min(...shown), high = Math.max(...shown), slack = .15 * (high - low) + 1e-6;
      panel(area.pen, [58, 18, area.width - 64, area.height - 40], [low - slack, high + slack], [{ values: shown, colour: c.output }],
        { colours: c, label: "m_z: 1 ns of pulse, 3 ns of ringing", format: (v) => v.toFixed(3) });
      area = fit($(this.root, ".live-spectrum"));
      const most = Math.max(...this.spectrum) || 1, bin = this.spectrum.indexOf(most), peak = bin / (1024 * this.model.spacing) / 1e9;
      panel(area.pen, [20, 18, area.width - 44, area.height - 40], [0, 1.15], [{ values: this.spectrum.map((v) => v / most), colour: c.output }],
        { colours: c, label: `spectrum: ${this.now.whole ? peak.toFixed(1) + " GHz" : "the forecast left its range"}`, format: () => "" });
      area.pen.fillStyle = c.text; area.pen.textAlign = "center";
      for (const f of [0, 10, 20, 30]) area.pen.fillText(f + " GHz", 20 + (area.width - 44) * f / 31.05, area.height - 6);
      area = fit($(this.root, ".live-map"));
      const near = (data.breathing.points || []).filter((p) => Math.abs(p[1] - D) < 2.6e-5);
      const span = this.model.trained.Ku, x = (v) => (v - 7e5) / 2e5, box = [58, 18, area.width - 64, area.height - 40];
      area.pen.fillStyle = c.band; area.pen.fillRect(box[0] + x(span[0]) * box[2], box[1], (x(span[1]) - x(span[0])) * box[2], box[3]);
      panel(area.pen, box, [4, 24], [
        { values: near.map((p) => p[2]), x: near.map((p) => x(p[0])), colour: c.recorded, dots: true },
        { values: this.curve, x: this.curve.map((_, i) => i / 40), colour: c.output },
        { values: [4, 24], x: [x(Ku), x(Ku)], colour: c.faint, dash: [4, 4] }],
        { colours: c, label: `f (GHz) against K_u (MJ/m³), D = ${(D * 1e3).toFixed(2)} mJ/m²`, format: (v) => v.toFixed(0) });
      area.pen.fillStyle = c.text; area.pen.textAlign = "center";
      for (const v of [7.2e5, 7.6e5, 8e5, 8.4e5, 8.8e5]) area.pen.fillText((v / 1e6).toFixed(2), box[0] + x(v) * box[2], area.height - 6);
      const trained = this.model.trained, out = Ku < trained.Ku[0] || Ku > trained.Ku[1] || D < trained.Dind[0] || D > trained.Dind[1];
      const status = $(this.root, ".live-status");
      const text = out ? "This material is outside of the trained range: the forecast extrapolates." : "This material is inside of the trained range.";
      if (status.textContent !== text) status.textContent = text;
      status.classList.toggle("outside", out);
      counters(this.root, [["breathing frequency", this.now.whole ? peak.toFixed(2) + " GHz" : "none"], ["one bin of the spectrum", (1 / (1024 * this.model.spacing) / 1e9).toFixed(3) + " GHz"], ["micromagnetics by", data.breathing.source]]);
    }
  }

  // --- the page -----------------------------------------------------------------------------
  const time = (s) => s >= 1e-3 ? (s * 1e3).toFixed(1) + " ms" : s >= 1e-6 ? (s * 1e6).toFixed(1) + " µs" : (s * 1e9).toFixed(1) + " ns";
  const live = document.getElementById("live");
  const makers = {
    skyrmion: (root) => new Player(root, "skyrmion", {
      period: 50, pad: true, disk: $(root, ".live-picture canvas"), time, show: (v) => (v / 1e6).toFixed(3) + " MJ/m³",
      tickIn: (v) => (v / 1e6).toFixed(2), tickOut: (v) => v.toFixed(3), inputLabel: "K_u (MJ/m³)", outputLabel: "m_z" }),
    oscillator: (root) => new Player(root, "oscillator", {
      period: 20, time, show: (v) => (v * 1e3).toFixed(0) + " mV", tickIn: (v) => (v * 1e3).toFixed(0), tickOut: (v) => (v * 1e3).toFixed(1),
      inputLabel: "drive (mV)", outputLabel: "response (mV)" }),
    material: (root) => new Material(root),
  };
  const players = {};
  let frames = 0;
  let chosen = "skyrmion";
  function choose(tab) {
    chosen = tab;
    for (const name of Object.keys(makers)) {
      const button = document.getElementById("tab-" + name), root = document.getElementById("panel-" + name);
      button.setAttribute("aria-selected", String(name === tab)); button.tabIndex = name === tab ? 0 : -1;
      root.hidden = name !== tab;
    }
    const root = document.getElementById("panel-" + tab);
    if (players[tab] === undefined) {
      players[tab] = data.models[tab] ? makers[tab](root) : null;
      if (!players[tab]) {
        const note = document.createElement("p");
        note.className = "live-status outside";
        note.textContent = `Its model has not been trained yet: spinode run ${data.missing[tab] || notebook[tab]} --profile ${data.profile || "quick"} does it.`;
        root.replaceChildren(note);
      }
    }
    const caption = $(root, "figcaption");
    if (caption) caption.textContent = data.pictures ? "Interpolated by m_z from recorded snapshots, not forecast. Red up, blue down." : "No snapshots were recorded for this book.";
  }
  const tabs = [...live.querySelectorAll('[role="tab"]')];
  tabs.forEach((button, i) => {
    button.addEventListener("click", () => choose(button.id.slice(4)));
    button.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(i + step + tabs.length) % tabs.length];
      next.focus(); choose(next.id.slice(4)); event.preventDefault(); event.stopPropagation();
    });
  });
  choose(location.hash.slice(1) in makers ? location.hash.slice(1) : "skyrmion");
  window.addEventListener("hashchange", () => { if (location.hash.slice(1) in makers) choose(location.hash.slice(1)); });
  window.SpinPlayers = players;
  function frame(now) {
    if (!(frames++ % 15)) ink = colours();
    if (players[chosen]) players[chosen].frame(now);
    requestAnimationFrame(frame);
  }
  requestAnimationFrame(frame);
})();
