from dataclasses import replace

import numpy as np
import pytest

from spinode.devices.disks import SkyrmionDisk
from spinode.devices.grains import GrainMap, Grains, published_grains
from spinode.devices.protocols import D_TEST, FOUR_SKYRMIONS, KU_TEST, ONE_SKYRMION, PAIR
from spinode.errors import InputError


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"cell": 3e-9}, "does not divide"),
        ({"Aex": 15.0}, "check its unit"),
        ({"Msat": -580e3}, "check its unit"),
        ({"alpha": 0.0}, "check its unit"),
        ({"diameter": float("nan")}, "check its unit"),
        ({"cell": 8e-9}, "too coarse"),
        ({"diameter": "80 nm"}, "'80 nm' is not a number; give it in m"),
        ({"skyrmions": ((30e-9, 0.0),)}, "leaves the disk"),
        ({"skyrmions": ((float("nan"), 0.0),)}, "leaves the disk"),
        ({"skyrmions": (0.0, 0.0)}, "pairs"),
        ({"grains": 10e-9}, "give Grains"),
    ],
)
def test_bad_device_is_refused_in_one_sentence(change, says):
    with pytest.raises(InputError, match=says) as caught:
        SkyrmionDisk(**change)
    assert "\n" not in str(caught.value)


def test_a_coarser_cell_is_one_replacement():
    assert replace(ONE_SKYRMION.device, cell=2e-9).cells == 40


BAD_GRAINS = [{"size": 0.0}, {"regions": 200}, {"regions": 1.5}, {"spread": 2.0}, {"tilt": -1}]


@pytest.mark.parametrize("change", BAD_GRAINS)
def test_bad_grains_are_refused(change):
    with pytest.raises(InputError, match="Grains"):
        Grains(**change)


SMALL = {
    "cell": 1e-9,
    "region": (0, 1, 1, 0),
    "Ku": (7e5, 9e5),
    "Dind": (3e-3, 4e-3),
    "axis": ((0, 0, 1), (0.1, 0, 1)),
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"region": (0, 1, 1)}, "do not make a square map"),
        ({"region": (0, 1, 1, 2)}, "of region 2, but there are parameters for 0 to 1"),
        ({"Dind": (3e-3,)}, "1 of Dind"),
        ({"axis": ((0, 0, 1), (0, 0, 0))}, "not all zero"),
        ({"Ku": (7e5, float("nan"))}, "NaN"),
        ({"cell": 1.0}, "must lie between"),
    ],
)
def test_bad_maps_of_grains_are_refused(change, says):
    with pytest.raises(InputError, match=says) as caught:
        GrainMap(**(SMALL | change))
    assert "\n" not in str(caught.value)


def test_a_map_of_grains_must_cover_the_disk():
    with pytest.raises(InputError, match="does not cover the disk"):
        SkyrmionDisk(grains=GrainMap(**SMALL))


def test_the_published_grains_have_the_published_statistics():
    grains = published_grains()
    assert grains is FOUR_SKYRMIONS.device.grains
    assert (grains.cells, grains.cell) == (120, 1e-9)
    ku, dind, axis = (np.array(v) for v in (grains.Ku, grains.Dind, grains.axis))
    assert 60 < len(ku) <= 98
    for values, mean in ((ku, 8e5), (dind, 3.5e-3)):
        assert values.mean() == pytest.approx(mean, rel=0.07)
        assert values.std() / mean == pytest.approx(0.2, rel=0.25)
    assert np.abs(axis[:, :2]).max() <= 0.1
    assert np.all(axis[:, 2] == 1)


def test_the_papers_devices():
    assert [p.device.cells for p in (ONE_SKYRMION, FOUR_SKYRMIONS, PAIR)] == [80, 120, 100]
    assert len(FOUR_SKYRMIONS.device.skyrmions) == 4
    assert KU_TEST.device.Ku == KU_TEST.drive.levels[0]
    assert D_TEST.device.Dind == D_TEST.drive.levels[0]
