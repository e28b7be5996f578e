// The Spin-Neural ODE in the browser: the package's solver on the package's weights (data.js).
"use strict";
window.SpinForecast = (function () {
  // tanh by a diagonal Pade approximant of exp, as in spinode/neural_ode/_kernels.py.
  const POWERS = new Float64Array(129);
  for (let n = -64; n <= 64; n++) POWERS[n + 64] = Math.pow(2, n);
  function tanh(x) {
    x = 2 * Math.min(Math.max(x, -20), 20);
    const n = (x * 1.4426950408889634 + 6755399441055744.0) - 6755399441055744.0;
    const r = (x - n * 0.6931471803691238) - n * 1.9082149292705877e-10;
    const power = POWERS[n + 64], q = r * r;
    const even = 665280 + q * (75600 + q * (840 + q));
    const odd = r * (332640 + q * (10080 + q * 42));
    const less = power - 1, more = power + 1;
    return (less * even + more * odd) / (more * even + less * odd);
  }

  // Rows of a matrix in blocks of eight, columns within a block; rows are padded with zeros.
  function blocks(weights, rows, columns) {
    const out = new Float64Array(Math.ceil(rows / 8) * 8 * columns);
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        out[(i - i % 8) * columns + 8 * j + i % 8] = weights[i * columns + j];
      }
    }
    return out;
  }
  function padded(values) {
    const out = new Float64Array(Math.ceil(values.length / 8) * 8);
    out.set(values);
    return out;
  }

  class SpinForecast {
    constructor(model) {
      this.model = model;
      this.k = model.k;
      this.count = model.inputs.length;
      const columns = this.k * (1 + this.count), width = model.width;
      const [w1, b1, w2, b2, w3, b3] = model.weights;
      this.w1 = blocks(w1, width, columns); this.b1 = padded(b1);
      this.w2 = blocks(w2, width, width); this.b2 = padded(b2);
      this.w3 = blocks(w3, this.k, width); this.b3 = padded(b3);
      this.x = new Float64Array(columns);
      this.h1 = new Float64Array(this.b1.length);
      this.h2 = new Float64Array(this.b2.length);
      this.slopes = [0, 1, 2, 3].map(() => new Float64Array(this.b3.length));
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

    // out = bias + weights x, eight rows at a time: each x is read once for all of them.
    dense(weights, bias, x, columns, out, rows) {
      for (let i = 0, at = 0; i < rows; i += 8) {
        let s0 = bias[i], s1 = bias[i + 1], s2 = bias[i + 2], s3 = bias[i + 3];
        let s4 = bias[i + 4], s5 = bias[i + 5], s6 = bias[i + 6], s7 = bias[i + 7];
        for (let j = 0; j < columns; j++, at += 8) {
          const v = x[j];
          s0 += weights[at] * v; s1 += weights[at + 1] * v; s2 += weights[at + 2] * v; s3 += weights[at + 3] * v;
          s4 += weights[at + 4] * v; s5 += weights[at + 5] * v; s6 += weights[at + 6] * v; s7 += weights[at + 7] * v;
        }
        out[i] = s0; out[i + 1] = s1; out[i + 2] = s2; out[i + 3] = s3;
        out[i + 4] = s4; out[i + 5] = s5; out[i + 6] = s6; out[i + 7] = s7;
      }
    }

    evaluate(slope) {
      const width = this.model.width, { h1, h2 } = this;
      this.dense(this.w1, this.b1, this.x, this.x.length, h1, width);
      for (let i = 0; i < width; i++) h1[i] = tanh(h1[i]);
      this.dense(this.w2, this.b2, h1, width, h2, width);
      for (let i = 0; i < width; i++) h2[i] = tanh(h2[i]);
      this.dense(this.w3, this.b3, h2, width, slope, this.k);
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
