"""The embedded engine against MuMax3, at single samples of the tables that the authors published.

`benchmarks/micromagnetics.py` checks the whole of them.
"""

from dataclasses import replace

import numpy as np
import pytest

from spinode.analysis.metrics import nrmse
from spinode.devices.protocols import KU_TEST, ONE_SKYRMION, PAIR
from spinode.micromagnetics import simulate


# The long stretches are also what guards the extrapolated demagnetizing field: an unstable one
# agrees for 12 ns of the Ku test, and then triples its error every nanosecond.
@pytest.mark.parametrize(
    ("protocol", "nanoseconds", "at_most"),
    [
        pytest.param(ONE_SKYRMION, 1, 0.002, id="one_skyrmion"),
        pytest.param(PAIR, 0.5, 0.005, id="pair"),
        pytest.param(KU_TEST, 0.5, 0.01, id="ku_test"),
        pytest.param(ONE_SKYRMION, 57.5, 0.01, id="one_skyrmion-long", marks=pytest.mark.long),
        pytest.param(PAIR, 20, 0.02, id="pair-long", marks=pytest.mark.long),
        pytest.param(KU_TEST, 20, 0.03, id="ku_test-long", marks=pytest.mark.long),
    ],
)
def test_agreement_with_mumax3(published_numbers, protocol, nanoseconds, at_most):
    ours = simulate(
        protocol.device,
        protocol.drive,
        engine="embedded",
        spacing=protocol.spacing,
        duration=nanoseconds * 1e-9,
        progress=False,
    )
    table = published_numbers["mz"][f"{protocol.name} {nanoseconds:g} ns"]
    assert ours.mz.values[0] == pytest.approx(table["values"][0], abs=1e-4)
    assert nrmse(ours.mz.values[:: table["every"]], np.array(table["values"])) <= at_most
    np.testing.assert_allclose(ours.mx, 0, atol=1e-6)
    assert "annihilation" not in ours.attrs


@pytest.mark.long
def test_the_engine_follows_the_smallest_skyrmion(published_numbers):
    """At 96 ns the skyrmion is smaller than ever before; the run has forgotten how it began."""
    begin, late, end = 88e-9, 93e-9, 98e-9
    first = round(begin * ONE_SKYRMION.drive.frequency)
    drive = replace(ONE_SKYRMION.drive, start=first, periods=40)
    spacing = ONE_SKYRMION.spacing
    ours = simulate(
        ONE_SKYRMION.device, drive, engine="embedded", spacing=spacing, duration=end - begin,
        progress=False,
    )  # fmt: skip
    table = published_numbers["mz"]["one_skyrmion 93 to 98 ns"]
    published = np.array(table["values"])
    assert published.max() > 0.976
    found = ours.mz.values[round((late - begin) / spacing) :: table["every"]]
    np.testing.assert_allclose(found, published, atol=5e-4)
