"""The Spin-Neural ODE and its file."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from spinode.devices.protocols import PAIR
from spinode.errors import InputError
from spinode.neural_ode.model import SpinODE
from spinode.paper.models import MODELS, import_checkpoint
from spinode.trajectory import Channel

MZ = Channel("mz", "1", 0.77, 0.1)
KU, DIND = PAIR.learning.inputs
TIMES = {"sample_spacing": 5e-12, "time_scale": 2e-10}


def test_derivative_is_the_paper_s_network():
    model = SpinODE(MZ, (KU, DIND), k=2, width=7, seed=3, **TIMES)
    y, e = np.array([0.3, -0.2]), np.array([0.1, 0.2, 0.3, 0.4])
    hidden = np.concatenate([y, e])
    weights = [p.detach().numpy() for p in model.parameters()]
    for weight, bias in zip(weights[0:4:2], weights[1:4:2], strict=True):
        hidden = np.tanh(weight @ hidden + bias)
    expected = weights[4] @ hidden + weights[5]
    found = model(torch.as_tensor(y), torch.as_tensor(e)).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_initial_weights_follow_the_paper_and_the_seed():
    a, b, c = (SpinODE(MZ, (KU,), width=200, seed=seed, **TIMES) for seed in (1, 1, 2))
    weights = torch.cat([p.detach().flatten() for p in a.parameters()])
    assert weights.std().item() == pytest.approx(0.1, rel=0.02)
    assert abs(weights.mean()) < 0.002
    assert torch.equal(a.f[2].weight, b.f[2].weight)
    assert not torch.equal(a.f[2].weight, c.f[2].weight)


def test_file_round_trip(tmp_path):
    model = SpinODE(MZ, (KU,), k=3, width=5, dtype=torch.float32, **TIMES)
    loaded = SpinODE.load(model.save(tmp_path / "models" / "a.pt"))
    assert (loaded.output, loaded.inputs, loaded.k) == (MZ, (KU,), 3)
    assert loaded.step == pytest.approx(0.025)
    for ours, theirs in zip(model.parameters(), loaded.parameters(), strict=True):
        assert torch.equal(ours, theirs)
        assert theirs.dtype == torch.float32


def test_bad_files_and_values(tmp_path):
    with pytest.raises(InputError, match="no model at"):
        SpinODE.load(tmp_path / "none.pt")
    for name, content in (("text", b"not a model"), ("empty", b""), ("junk", b"\x80\x02\x8a")):
        (tmp_path / f"{name}.pt").write_bytes(content)
        with pytest.raises(InputError, match=f"{name}.pt is not a saved model"):
            SpinODE.load(tmp_path / f"{name}.pt")
    with pytest.raises(InputError, match="not a saved model"):
        SpinODE.load(tmp_path)
    torch.save({"format": "spinode model 1"}, tmp_path / "pickled.pt")
    with pytest.raises(InputError, match="not a saved model"):
        SpinODE.load(tmp_path / "pickled.pt")
    np.savez(tmp_path / "other.npz", description='{"format": "something else"}')
    with pytest.raises(InputError, match="format"):
        SpinODE.load(tmp_path / "other.npz")
    saved = SpinODE(MZ, (KU,), width=3, **TIMES).save(tmp_path / "short.npz")
    with np.load(saved) as contents:
        some = {name: contents[name] for name in contents.files if name != "2.weight"}
    np.savez(saved, **some)
    with pytest.raises(InputError, match="not a saved model"):
        SpinODE.load(saved)


class _Bomb:
    """Unpickled, it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_nothing_in_a_model_file_is_executed(tmp_path):
    """Not even where the file was made to do so: in its description, its weights, or throughout."""
    trap, path = tmp_path / "executed", tmp_path / "trap.npz"
    bomb = np.array([_Bomb(trap)], dtype=object)
    saved = SpinODE(MZ, (KU,), width=3, **TIMES).save(tmp_path / "good.npz")
    with np.load(saved) as contents:
        good = dict(contents)
    for armed in ({"description": bomb}, {"0.weight": bomb}):
        np.savez(path, **(good | armed))
        with pytest.raises(InputError, match="not a saved model"):
            SpinODE.load(path)
        assert not trap.exists()
    path.write_bytes(pickle.dumps(_Bomb(trap)))
    with pytest.raises(InputError, match="not a saved model"):
        SpinODE.load(path)
    assert not trap.exists()
    pickle.loads(path.read_bytes())  # the trap works where pickles are allowed
    assert trap.exists()


def test_bad_values():
    with pytest.raises(InputError, match="k must be"):
        SpinODE(MZ, (KU,), k=0, **TIMES)
    with pytest.raises(InputError, match="time_scale"):
        SpinODE(MZ, (KU,), sample_spacing=5e-12, time_scale=0.0)


def test_published_checkpoints(paper_data):
    for published in MODELS.values():
        model = import_checkpoint(paper_data / published.path, **published.units)
        state = torch.load(paper_data / published.path, weights_only=True)["model_state_dict"]
        assert model.k == 2
        assert torch.equal(model.f[0].weight, state["ext0.0.weight"])
        assert torch.equal(model.f[4].bias, state["ext0.6.bias"])


def test_a_checkpoint_of_the_authors_script(tmp_path):
    """Its three layers under the names that their network has; ``ext1`` is of no use."""
    layers = {0: (8, 4), 3: (8, 8), 6: (2, 8)}
    state = {"ext1.0.weight": torch.ones(3, 3)}
    for number, shape in layers.items():
        state |= {
            f"ext0.{number}.weight": torch.randn(shape),
            f"ext0.{number}.bias": torch.ones(shape[0]),
        }
    path = tmp_path / "params.pkl"
    torch.save({"model_state_dict": state, "loss": 0.1}, path)
    model = import_checkpoint(path, MZ, (KU,), **TIMES)
    assert (model.k, model.width) == (2, 8)
    rates = torch.randn(5, 4)
    expected = rates
    for number in layers:
        expected = expected @ state[f"ext0.{number}.weight"].T + state[f"ext0.{number}.bias"]
        expected = torch.tanh(expected) if number != 6 else expected
    found = model.f(rates.to(next(model.parameters()).dtype))
    torch.testing.assert_close(found, expected.to(found.dtype), rtol=1e-5, atol=1e-6)


def test_checkpoint_with_the_wrong_inputs(tmp_path):
    path = tmp_path / "pair.pkl"
    state = {f"ext0.{i}.bias": torch.ones(2) for i in (0, 3, 6)}
    state |= {f"ext0.{i}.weight": torch.ones(2, 6 if i == 0 else 2) for i in (0, 3, 6)}
    torch.save({"model_state_dict": state}, path)
    with pytest.raises(InputError, match="6 input columns for k = 2"):
        import_checkpoint(path, MZ, (KU,), **TIMES)
    torch.save({"weights": 1}, tmp_path / "other.pkl")
    with pytest.raises(InputError, match="not a checkpoint"):
        import_checkpoint(tmp_path / "other.pkl", MZ, (KU,), **TIMES)
