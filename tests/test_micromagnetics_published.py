"""The embedded engine against MuMax3's published tables: a short stretch of each run.

`benchmarks/micromagnetics.py` checks the whole of them.
"""

from dataclasses import replace

import numpy as np
import pytest

from spinode.analysis.metrics import nrmse
from spinode.devices.protocols import KU_TEST, ONE_SKYRMION, PAIR
from spinode.micromagnetics import simulate
from spinode.micromagnetics.tables import read_table
from spinode.trajectory import resample

_ONE, _PAIR, _KU = (
    "1skyrmion_voltage_train/table.txt",
    "1skyrmion_input_PMA_DMI_train/table.txt",
    "1skyrmion_input_PMA_DMI_test/Ku_ext_DMI/table.txt",
)


# The long stretches are also what guards the extrapolated demagnetizing field: an unstable one
# agrees for 12 ns of the Ku test, and then triples its error every nanosecond.
@pytest.mark.parametrize(
    ("protocol", "table", "duration", "at_most"),
    [
        pytest.param(ONE_SKYRMION, _ONE, 1e-9, 0.002, id="one_skyrmion"),
        pytest.param(PAIR, _PAIR, 0.5e-9, 0.005, id="pair"),
        pytest.param(KU_TEST, _KU, 0.5e-9, 0.01, id="ku_test"),
        pytest.param(
            ONE_SKYRMION, _ONE, 57.5e-9, 0.01, id="one_skyrmion-long", marks=pytest.mark.long
        ),
        pytest.param(PAIR, _PAIR, 20e-9, 0.02, id="pair-long", marks=pytest.mark.long),
        pytest.param(KU_TEST, _KU, 20e-9, 0.03, id="ku_test-long", marks=pytest.mark.long),
    ],
)
def test_agreement_with_mumax3(paper_data, protocol, table, duration, at_most):
    ours = simulate(
        protocol.device,
        protocol.drive,
        engine="embedded",
        spacing=protocol.spacing,
        duration=duration,
        progress=False,
    )
    table = read_table(paper_data / "Mumax3_simulations" / table)
    published = resample(table, protocol.spacing, duration)
    assert ours.mz.values[0] == pytest.approx(published.mz.values[0], abs=1e-4)
    assert nrmse(ours.mz.values, published.mz.values) <= at_most
    np.testing.assert_allclose(ours.mx, 0, atol=1e-6)
    assert "annihilation" not in ours.attrs


@pytest.mark.long
def test_the_engine_follows_the_smallest_skyrmion(paper_data):
    """At 96 ns the skyrmion is smaller than ever before; the run has forgotten how it began."""
    begin, end = 88e-9, 98e-9
    first = round(begin * ONE_SKYRMION.drive.frequency)
    drive = replace(ONE_SKYRMION.drive, start=first, periods=40)
    spacing = ONE_SKYRMION.spacing
    ours = simulate(
        ONE_SKYRMION.device, drive, engine="embedded", spacing=spacing, duration=end - begin,
        progress=False,
    )  # fmt: skip
    table = resample(read_table(paper_data / "Mumax3_simulations" / _ONE), spacing, end)
    published = table.mz.values[round(begin / spacing) :]
    late = ours.time.values >= 5e-9
    assert published[late].max() > 0.976
    np.testing.assert_allclose(ours.mz.values[late], published[late], atol=5e-4)
