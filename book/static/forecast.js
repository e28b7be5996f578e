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

  class SpinForecast {
    constructor(model) {
      this.model = model;
      this.k = model.k;
      this.count = model.inputs.length;
      [this.w1, this.b1, this.w2, this.b2, this.w3, this.b3] =
        model.weights.map((part) => Float64Array.from(part));
      const columns = this.k * (1 + this.count);
      this.x = new Float64Array(columns);
      // Hidden layers are padded to a multiple of four, which the loops take at a time.
      this.h1 = new Float64Array(model.width + 4);
      this.h2 = new Float64Array(model.width + 4);
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

    dense(weights, bias, x, columns, out, rows) {
      const whole = columns - columns % 4;
      for (let i = 0, at = 0; i < rows; i++) {
        let s0 = bias[i], s1 = 0, s2 = 0, s3 = 0, j = 0;
        for (; j < whole; j += 4, at += 4) {
          s0 += weights[at] * x[j];
          s1 += weights[at + 1] * x[j + 1];
          s2 += weights[at + 2] * x[j + 2];
          s3 += weights[at + 3] * x[j + 3];
        }
        for (; j < columns; j++, at++) s0 += weights[at] * x[j];
        out[i] = (s0 + s1) + (s2 + s3);
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
