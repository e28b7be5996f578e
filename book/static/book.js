// The book's own script: code folded or open, and interactive plots drawn when they come into view.
"use strict";
(function () {
  const bar = document.querySelector(".book-bar");
  if (bar) {
    const key = "spinode-code-" + bar.dataset.page;
    const button = bar.querySelector("button");
    const cells = document.querySelectorAll("details.hide.above-input");
    const show = (open) => {
      cells.forEach((cell) => { cell.open = open; });
      button.textContent = open ? "Fold the code" : "Show the code";
      button.setAttribute("aria-pressed", String(open));
    };
    let chosen = null;
    try { chosen = localStorage.getItem(key); } catch (error) { /* private windows */ }
    show((chosen || bar.dataset.code) === "open");
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-pressed") !== "true";
      show(open);
      try { localStorage.setItem(key, open ? "open" : "folded"); } catch (error) { /* the same */ }
    });
  }

  // What scrolls sideways can be reached with the keyboard.
  document.querySelectorAll("article pre").forEach((block) => {
    if (block.scrollWidth > block.clientWidth) block.tabIndex = 0;
  });

  const plots = document.querySelectorAll(".book-plot");
  if (!plots.length) return;
  const here = document.querySelector('script[src*="book.js"]').src.replace(/book\.js.*$/, "");
  let bokeh = null;
  const load = (name) => new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = here + name;
    script.onload = resolve;
    script.onerror = () => reject(new Error(name + " is missing"));
    document.head.append(script);
  });
  const ready = () => { bokeh = bokeh || load("bokeh.min.js"); return bokeh; };

  async function draw(element) {
    if (element.dataset.drawn) return;
    element.dataset.drawn = "waiting";
    await ready();
    const given = JSON.parse(element.querySelector("script").textContent);
    const target = document.createElement("div");
    target.className = "book-plot-target";
    element.append(target);
    const id = "plot-" + Math.random().toString(36).slice(2);
    target.id = id;
    const views = await Bokeh.embed.embed_item(
      { doc: given.doc, root_id: given.root, target_id: id, version: given.doc.version });
    const view = Array.isArray(views) ? views[0] : (views.roots ? views.roots[0] : views);
    const model = view ? view.model : Bokeh.documents.at(-1).roots()[0];
    element.plot = model;
    if (given.frames) slide(element, model.document, given.frames);
    element.dataset.drawn = "yes";
  }

  function slide(element, doc, frames) {
    const label = document.createElement("label");
    label.className = "book-slider";
    const input = document.createElement("input");
    const output = document.createElement("output");
    Object.assign(input, { type: "range", min: 0, max: frames.labels.length - 1, value: 0 });
    const name = frames.labels[0].split(":")[0];
    input.setAttribute("aria-label", name);
    const show = () => {
      const frame = Number(input.value);
      output.textContent = frames.labels[frame];
      input.setAttribute("aria-valuetext", frames.labels[frame]);
      doc.apply_json_patch({ events: frames.changes[frame] });
    };
    input.addEventListener("input", show);
    label.append(input, output);
    element.append(label);
    show();
  }

  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) {
        watcher.unobserve(entry.target);
        draw(entry.target);
      }
    }
  }, { rootMargin: "600px" });
  plots.forEach((plot) => watcher.observe(plot));
})();
