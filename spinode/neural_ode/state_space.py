"""The Spin-Neural ODE with a state of its own: dx/dt = A x + B e + b + W2 s(W1 [x; e] + b1).

The paper's state is the delayed output (`spinode.neural_ode.model`). Here it is any n numbers that
the data call for, of which the output shows one combination, y = C x + D e + c. Without delays a
noisy sample never enters the state, and a forecast starts from a state fitted to many. Its
neurons saturate, or every other one grows (`neurons`). Where a device integrates, as a carriage
does whose place is measured, one state is an integral that nothing else depends on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spinode.neural_ode import _sensitivities


@dataclass(frozen=True)
class Shape:
    """How large a latent model is.

    Parameters
    ----------
    states, inputs : int
        Length of x and of e.
    width : int
        Neurons of the hidden layer; 0 makes the model linear.
    output_width : int
        Neurons of a network between state and output; 0 for none.
    growing : bool
        Whether every other neuron grows; else all saturate. See `neurons`.
    integrating : bool
        Whether the first state is an integral: it shows at the output, and no state's slope
        depends on it.
    """

    states: int
    inputs: int
    width: int = 0
    output_width: int = 0
    growing: bool = True
    integrating: bool = False

    @property
    def columns(self) -> int:
        """Length of (x, e, 1)."""
        return self.states + self.inputs + 1

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """Number of weights in w1, wf, wo and co."""
        return (
            self.columns * self.width,
            self.states * (self.width + self.columns),
            self.columns * self.output_width,
            self.output_width + self.columns,
        )

    @property
    def weights(self) -> int:
        """Number of all weights."""
        return sum(self.sizes)

    def network(self, weights: np.ndarray) -> tuple:
        """Return what `_sensitivities` calls its network: w1, wf, wo, co, growing."""
        return *self.unpack(weights), self.growing

    def unpack(self, weights: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return views of ``weights``: w1, wf, wo, co."""
        parts = np.split(weights, np.cumsum(self.sizes)[:-1])
        return (
            parts[0].reshape(self.columns, self.width),
            parts[1].reshape(self.states, self.width + self.columns),
            parts[2].reshape(self.columns, self.output_width),
            parts[3],
        )

    def pack(self, w1=None, wf=None, wo=None, co=None) -> np.ndarray:
        """Return one array of all weights; zeros for what is left out."""
        given = (w1, wf, wo, co)
        return np.concatenate(
            [
                np.zeros(size) if part is None else np.ravel(part)
                for part, size in zip(given, self.sizes, strict=True)
            ]
        ).astype(float)

    def groups(self) -> np.ndarray:
        """Return the group of each weight.

        0: into the hidden layer; 1: out of it; 2: linear; 3: into the output's; 4: out of it;
        5: feed-through.
        """
        wf = np.full((self.states, self.width + self.columns), 2)
        wf[:, : self.width] = 1
        co = np.full(self.output_width + self.columns, 2)
        co[: self.output_width] = 4
        co[self.output_width + self.states : -1] = 5
        w1 = np.zeros((self.columns, self.width))
        return self.pack(w1, wf, np.full((self.columns, self.output_width), 3), co).astype(int)

    def free(self) -> np.ndarray:
        """Return whether each weight may be fitted: those that an integral would act by stay 0."""
        w1 = np.ones((self.columns, self.width))
        wf = np.ones((self.states, self.width + self.columns))
        if self.integrating:
            w1[0] = wf[:, self.width] = 0
        wo = np.ones((self.columns, self.output_width))
        return self.pack(w1, wf, wo, np.ones(self.output_width + self.columns)).astype(bool)

    def recentred(self, weights: np.ndarray, origin: np.ndarray) -> np.ndarray:
        """Return weights that do the same with states counted from ``origin``, shape (n,).

        A training leaves the state where it likes. From around zero a start is easily found.
        """
        w1, wf, wo, co = (part.copy() for part in self.unpack(weights))
        n = self.states
        for entering in (w1, wo):
            entering[-1] += origin @ entering[:n]
        wf[:, -1] += wf[:, self.width : self.width + n] @ origin
        co[-1] += co[self.output_width : self.output_width + n] @ origin
        return self.pack(w1, wf, wo, co)

    def widened(
        self,
        weights: np.ndarray,
        width: int,
        output_width: int,
        seed: int,
        reach: float = 1.0,
    ) -> tuple[Shape, np.ndarray]:
        """Return a shape of more neurons, and weights with which it does the same as before.

        What goes into a new neuron is drawn, with states and inputs of unit standard deviation in
        mind, of length ``reach``: a short one bends a neuron little. What comes out is zero.
        """
        new = replace(self, width=width, output_width=output_width)
        generator = np.random.default_rng(seed)
        w1, wf, wo, co = self.unpack(weights)

        def drawn(old, neurons):
            more = neurons - old.shape[1]
            directions = generator.normal(size=(self.columns, more))
            directions *= reach / np.linalg.norm(directions[:-1], axis=0)
            directions[-1] = generator.uniform(-reach, reach, size=more)
            if self.integrating:
                directions[0] = 0.0
            return np.concatenate([old, directions], axis=1)

        grown = np.zeros((self.states, width - self.width))
        wf = np.concatenate([wf[:, : self.width], grown, wf[:, self.width :]], axis=1)
        co = np.insert(co, self.output_width, np.zeros(output_width - self.output_width))
        return new, new.pack(drawn(w1, width), wf, drawn(wo, output_width), co)


def neurons(entering: np.ndarray, growing: bool) -> np.ndarray:
    """Return what neurons, along the last axis, make of what enters them, as `_sensitivities` does.

    They saturate, s(v) = tanh(v), or, with ``growing``, those of 1, 3, 5, ... grow, s(v) = v
    sqrt(1 + v^2) - v.
    """
    leaving = np.tanh(entering)
    if growing:
        odd = entering[..., 1::2]
        leaving[..., 1::2] = odd * (np.sqrt(1 + odd**2) - 1)
    return leaving


def simulate(
    shape: Shape, weights: np.ndarray, step: float, first: np.ndarray, stages: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return output, shape (samples,), and states, shape (samples, n), from a first state on."""
    samples = (len(stages) - 1) // 3 + 1
    outputs, states = np.empty(samples), np.empty((samples, shape.states))
    _sensitivities.simulate(*shape.network(weights), step, first, stages, outputs, states)
    return outputs, states
