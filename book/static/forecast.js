// The Spin-Neural ODE in the browser: the package's solver on the package's weights (data.js).
"use strict";
window.SpinForecast = (function () {
  // tanh by a diagonal Pade approximant of exp, as in spinode/neural_ode/_kernels.py.
  const POWERS = new Float64Array(129);
  for (let n = -64; n <= 64; n++) POWERS[n + 64] = Math.pow(2, n);
  function tanh(x) {
    x = 2 * (x > 20 ? 20 : x < -20 ? -20 : x);
    const n = (x * 1.4426950408889634 + 6755399441055744.0) - 6755399441055744.0;
    const r = (x - n * 0.6931471803691238) - n * 1.9082149292705877e-10;
    const power = POWERS[n + 64], q = r * r;
    const even = 665280 + q * (75600 + q * (840 + q));
    const odd = r * (332640 + q * (10080 + q * 42));
    const less = power - 1, more = power + 1;
    return (less * even + more * odd) / (more * even + less * odd);
  }

  // layer.wat, compiled: two numbers at a time, which plain JavaScript cannot. Where a browser has
  // no such instructions, SpinForecast.layer below does the same.
  const LAYER = "AGFzbQEAAAABCgFgBn9/f39/fwACDwEDZW52Bm1lbW9yeQIAAQMCAQAHCQEFbGF5ZXIAAArhBQHeBQICfw17IAQhBwNAIAH9AAQAIQkgAf0ABBAhCiAB/QAEICELIAH9AAQwIQwgAf0ABEAhDSACIQYDQCAG/QoDACEIIAkgCCAA/QAEAP3yAf3wASEJIAogCCAA/QAEEP3yAf3wASEKIAsgCCAA/QAEIP3yAf3wASELIAwgCCAA/QAEMP3yAf3wASEMIA0gCCAA/QAEQP3yAf3wASENIABB0ABqIQAgBkEIaiIGIANJDQALIAQgCf0LBAAgBCAK/QsEECAEIAv9CwQgIAQgDP0LBDAgBCAN/QsEQCAEQdAAaiEEIAFB0ABqIQEgBUEBayIFDQALIAchBgNAIAb9AAQA/QwAAAAAAAA0wAAAAAAAADTA/fcB/QwAAAAAAAA0QAAAAAAAADRA/fYBIQggCCAI/fABIQj9DAAAAAAAADhDAAAAAAAAOEMgCP0M/oIrZUcV9z/+gitlRxX3P/3yAf3wASEQIBD9DAAAAAAAADhDAAAAAAAAOEP98QEhDiAIIA79DAAA4P5CLuY/AADg/kIu5j/98gH98QEgDv0Mdjx5Ne856j12PHk17znqPf3yAf3xASEP/Qz/AwAAAAAAAP8DAAAAAAAAIBD9zgFBNP3LASEOIA8gD/3yASEQ/QwAAAAAgE0kQQAAAACATSRBIBD9DAAAAAAAdfJAAAAAAAB18kAgEP0MAAAAAABAikAAAAAAAECKQCAQ/fAB/fIB/fAB/fIB/fABIREgD/0MAAAAAIBNFEEAAAAAgE0UQSAQ/QwAAAAAALDDQAAAAAAAsMNAIBD9DAAAAAAAAEVAAAAAAAAARUD98gH98AH98gH98AH98gEhEiAO/QwAAAAAAADwPwAAAAAAAPA//fEBIRMgDv0MAAAAAAAA8D8AAAAAAADwP/3wASEUIAYgEyAR/fIBIBQgEv3yAf3wASAUIBH98gEgEyAS/fIB/fAB/fMB/QsEACAGQRBqIgYgBEkNAAsLAIEBBG5hbWUCYAEAFQABdwEBYgIBeAMDZW5kBANvdXQFBmJsb2NrcwYCYXQHBWZpcnN0CAF2CQJzMAoCczELAnMyDAJzMw0CczQOAW4PAXIQAXERBGV2ZW4SA29kZBMEbGVzcxQEbW9yZQMYAQADAAVibG9jawEGY29sdW1uAgR0YW5o";
  function compiled(memory) {
    try {
      const bytes = Uint8Array.from(atob(LAYER), (letter) => letter.charCodeAt(0));
      return new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } }).exports.layer;
    } catch (error) { return null; }
  }

  // Layers are computed ten rows at a time.
  const ROWS = 10;
  const padded = (count) => Math.ceil(count / ROWS) * ROWS;

  class SpinForecast {
    constructor(model) {
      this.model = model;
      this.k = model.k;
      this.count = model.inputs.length;
      const columns = this.k * (1 + this.count), width = model.width, rows = padded(width);
      const [w1, b1, w2, b2, w3, b3] = model.weights;
      // All that a layer reads and writes lies in one memory.
      const sizes = [rows * columns, rows, columns + columns % 2, rows, rows * width, rows, rows];
      const memory = new WebAssembly.Memory({ initial: Math.ceil(sizes.reduce((a, b) => a + b) / 8192) });
      let at = 0;
      [this.w1, this.b1, this.x, this.h1, this.w2, this.b2, this.h2] = sizes.map((size) => {
        at += 8 * size;
        return new Float64Array(memory.buffer, at - 8 * size, size);
      });
      this.x = this.x.subarray(0, columns);
      this.fill(this.w1, w1, columns); this.b1.set(b1);
      this.fill(this.w2, w2, width); this.b2.set(b2);
      this.w3 = Float64Array.from(w3); this.b3 = Float64Array.from(b3);
      this.compiled = compiled(memory);
      this.slopes = [0, 1, 2, 3].map(() => new Float64Array(this.k));
      this.state = new Float64Array(this.k);
      this.a = model.rule.a.map((row) => row.map((v) => v * model.step));
      this.b = model.rule.b.map((v) => v * model.step);
      this.thirds = model.rule.thirds;
      this.stopped = false;
    }

    // Start from the first k samples of the output (SI).
    start(samples) {
      const { offset, scale } = this.model.output;
      for (let i = 0; i < this.k; i++) this.state[i] = (samples[i] - offset) / scale;
      this.stopped = false;
    }

    get value() { return this.model.output.offset + this.state[0] * this.model.output.scale; }

    // An input (SI) in the model's units.
    normalize(value, input) {
      const { offset, scale } = this.model.inputs[input];
      return (value - offset) / scale;
    }

    // Weights go into blocks of ten rows, columns within a block; what is missing stays zero.
    fill(blocks, weights, columns) {
      for (let i = 0; i < weights.length / columns; i++) {
        const row = i % ROWS, start = (i - row) * columns + row;
        for (let j = 0; j < columns; j++) blocks[start + ROWS * j] = weights[i * columns + j];
      }
    }

    // out = tanh(bias + weights x), ten rows at a time: each x is read once for all of them.
    layer(weights, bias, x, columns, out) {
      const rows = bias.length;
      if (this.compiled) {
        const from = x.byteOffset;
        this.compiled(weights.byteOffset, bias.byteOffset, from, from + 8 * columns, out.byteOffset, rows / ROWS);
        return;
      }
      for (let i = 0, at = 0; i < rows; i += 10) {
        let s0 = bias[i], s1 = bias[i + 1], s2 = bias[i + 2], s3 = bias[i + 3], s4 = bias[i + 4];
        let s5 = bias[i + 5], s6 = bias[i + 6], s7 = bias[i + 7], s8 = bias[i + 8], s9 = bias[i + 9];
        for (let j = 0; j < columns; j++, at += 10) {
          const v = x[j];
          s0 += weights[at] * v; s1 += weights[at + 1] * v; s2 += weights[at + 2] * v; s3 += weights[at + 3] * v;
          s4 += weights[at + 4] * v; s5 += weights[at + 5] * v; s6 += weights[at + 6] * v; s7 += weights[at + 7] * v;
          s8 += weights[at + 8] * v; s9 += weights[at + 9] * v;
        }
        out[i] = tanh(s0); out[i + 1] = tanh(s1); out[i + 2] = tanh(s2); out[i + 3] = tanh(s3); out[i + 4] = tanh(s4);
        out[i + 5] = tanh(s5); out[i + 6] = tanh(s6); out[i + 7] = tanh(s7); out[i + 8] = tanh(s8); out[i + 9] = tanh(s9);
      }
    }

    evaluate(slope) {
      const width = this.model.width, { h2 } = this;
      this.layer(this.w1, this.b1, this.x, this.x.length, this.h1);
      this.layer(this.w2, this.b2, this.h1, width, this.h2);
      for (let i = 0, at = 0; i < this.k; i++, at += width) {
        let even = this.b3[i], odd = 0;
        for (let j = 0; j + 1 < width; j += 2) { even += this.w3[at + j] * h2[j]; odd += this.w3[at + j + 1] * h2[j + 1]; }
        if (width % 2) even += this.w3[at + width - 1] * h2[width - 1];
        slope[i] = even + odd;
      }
    }

    // One sample on. inputs: normalized, by thirds of a sample, one array an input; at: the first.
    step(inputs, at) {
      const { k, state, slopes, x, a, b } = this;
      const [low, high] = this.model.bounds;
      if (!(state[0] >= low && state[0] <= high)) { this.stopped = true; return false; }
      for (let stage = 0; stage < 4; stage++) {
        for (let i = 0; i < k; i++) {
          let value = state[i];
          for (let before = 0; before < stage; before++) value += a[stage][before] * slopes[before][i];
          x[i] = value;
        }
        for (let q = 0; q < this.count; q++) {
          for (let j = 0; j < k; j++) x[k + q * k + j] = inputs[q][at + 3 * j + this.thirds[stage]];
        }
        this.evaluate(slopes[stage]);
      }
      for (let i = 0; i < k; i++) {
        state[i] += b[0] * slopes[0][i] + b[1] * slopes[1][i] + b[2] * slopes[2][i] + b[3] * slopes[3][i];
      }
      return true;
    }

    // A forecast over inputs (SI, by thirds): the output (SI) at every sample, as spinode.forecast.
    forecast(inputs, initial) {
      const normalized = inputs.map((values, q) => Float64Array.from(values, (v) => this.normalize(v, q)));
      const samples = (normalized[0].length - 1) / 3, steps = samples - (this.k - 1);
      const { offset, scale } = this.model.output, out = [];
      this.start(initial);
      for (let n = 0; n < steps; n++) {
        out.push(this.value);
        if (!this.step(normalized, 3 * n)) { out.pop(); return out; }
      }
      for (let i = 0; i < this.k; i++) out.push(offset + this.state[i] * scale);
      return out;
    }
  }
  return SpinForecast;
})();
