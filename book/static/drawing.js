// What the live page draws with: panels of curves, and the disk.
"use strict";
window.SpinDrawing = (function () {
  const style = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
  const colours = () => ({
    key: document.body.dataset.theme + matchMedia("(prefers-color-scheme: dark)").matches,
    text: style("--color-foreground-primary") || "#222", faint: style("--color-foreground-muted") || "#777",
    grid: style("--color-background-border") || "#ddd", output: style("--color-brand-primary") || "#00598f",
    recorded: "#d55e00", band: "rgba(0, 158, 115, .18)",
  });

  function fit(canvas) {
    const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth || canvas.width;
    const height = Math.round(width * Number(canvas.dataset.aspect || (canvas.dataset.aspect = canvas.height / canvas.width)));
    const tall = Math.max(height, Math.min(canvas.classList.contains("live-pad") ? 60 : 220, width * 0.7));
    if (canvas.width !== Math.round(width * ratio) || canvas.dataset.tall !== String(tall)) {
      canvas.width = Math.round(width * ratio); canvas.height = Math.round(tall * ratio);
      canvas.style.height = tall + "px"; canvas.dataset.tall = tall;
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, tall);
    pen.font = "12px system-ui, sans-serif";
    return { pen, width, height: tall };
  }

  // A panel without its curves. range: what y shows; band: marked.
  function axes(pen, box, range, options) {
    const c = options.colours, [left, top, width, height] = box, [low, high] = range;
    const y = (v) => top + height - (v - low) / (high - low) * height;
    if (options.band) {
      const [from, to] = options.band.map((v) => Math.min(Math.max(v, low), high));
      pen.fillStyle = c.band; pen.fillRect(left, y(to), width, y(from) - y(to));
    }
    pen.strokeStyle = c.grid; pen.lineWidth = 1; pen.strokeRect(left + .5, top + .5, width, height);
    pen.fillStyle = c.text; pen.textAlign = "right";
    for (const v of options.ticks || [low, (low + high) / 2, high]) {
      pen.fillText(options.format(v), left - 6, Math.min(Math.max(y(v) + 4, top + 8), top + height));
    }
    pen.textAlign = "left"; pen.fillText(options.label, left, top - 5);  // above, so that no curve runs through it
  }
  // Its curves: {values, from, colour, width, dash, x}; from: the first of values that go round.
  function plot(pen, box, range, curves) {
    const [left, top, width, height] = box, [low, high] = range;
    const y = (v) => top + height - (v - low) / (high - low) * height;
    pen.save(); pen.beginPath(); pen.rect(left, top, width, height); pen.clip();
    for (const curve of curves) {
      pen.strokeStyle = curve.colour; pen.lineWidth = curve.width || 1.6; pen.setLineDash(curve.dash || []);
      pen.beginPath();
      const n = curve.values.length, from = curve.from || 0;
      for (let i = 0; i < n; i++) {
        const v = curve.values[i + from < n ? i + from : i + from - n];
        if (v === null || Number.isNaN(v)) continue;
        const x = left + (curve.x ? curve.x[i] : i / Math.max(n - 1, 1)) * width;
        if (curve.dots) { pen.moveTo(x + 3, y(v)); pen.arc(x, y(v), 3, 0, 7); } else pen.lineTo(x, y(v));
      }
      pen.stroke();
    }
    pen.restore(); pen.setLineDash([]);
  }
  function panel(pen, box, range, curves, options) {
    axes(pen, box, range, options);
    plot(pen, box, range, curves);
  }
  // What stays from frame to frame is drawn once, into a canvas of its own, as long as key stays.
  function still(canvas, key, draw) {
    const layer = canvas.still || (canvas.still = document.createElement("canvas")), pen = layer.getContext("2d");
    key = [key, canvas.width, canvas.height].join();
    if (layer.key !== key) {
      const large = canvas.getContext("2d");
      layer.key = key; layer.width = canvas.width; layer.height = canvas.height;
      pen.setTransform(large.getTransform()); pen.font = large.font;
      draw(pen);
    }
    const large = canvas.getContext("2d"), ratio = large.getTransform().a;
    large.drawImage(layer, 0, 0, canvas.width / ratio, canvas.height / ratio);
  }

  // Blue, white, red as in the notebooks' pictures of m_z.
  const RAMP = [[5, 48, 97], [67, 147, 195], [247, 247, 247], [214, 96, 77], [103, 0, 31]];
  const PALETTE = Array.from({ length: 256 }, (_, i) => {
    const at = i / 254 * 4, j = Math.min(Math.floor(at), 3), f = Math.min(at - j, 1);
    const [r, g, b] = RAMP[j].map((v, n) => Math.round(v + (RAMP[j + 1][n] - v) * f));
    return new Uint32Array(new Uint8ClampedArray([r, g, b, 255]).buffer)[0];
  });
  function drawDisk(canvas, pictures, mz) {
    const { size, mz: levels, cells } = pictures;
    let above = levels.findIndex((level) => level >= mz);
    if (above < 0) above = levels.length - 1;
    const below = Math.max(above - 1, 0), gap = levels[above] - levels[below];
    const f = gap > 0 ? Math.min(Math.max((mz - levels[below]) / gap, 0), 1) : 0;
    if (!drawDisk.small) {
      drawDisk.small = document.createElement("canvas");
      drawDisk.small.width = drawDisk.small.height = size;
      drawDisk.image = drawDisk.small.getContext("2d").createImageData(size, size);
      drawDisk.pixels = new Uint32Array(drawDisk.image.data.buffer);
    }
    const { small, image, pixels } = drawDisk, high = cells[above], deep = cells[below];
    for (let row = 0; row < size; row++) {
      for (let column = 0; column < size; column++) {
        const from = (size - 1 - row) * size + column;
        if (high[from] === 255) continue;  // outside of the disk
        pixels[row * size + column] = PALETTE[Math.round(deep[from] * (1 - f) + high[from] * f)];
      }
    }
    small.getContext("2d").putImageData(image, 0, 0);
    const large = canvas.getContext("2d");
    large.imageSmoothingEnabled = true;
    large.clearRect(0, 0, canvas.width, canvas.height);
    large.drawImage(small, 0, 0, canvas.width, canvas.height);
  }

  return { colours, fit, axes, plot, panel, still, drawDisk };
})();
