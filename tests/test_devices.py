from dataclasses import replace

import pytest

from spinode.devices.disks import Grains, SkyrmionDisk
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
        ({"diameter": "80 nm"}, "'80 nm' is no number; give it in m"),
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


def test_the_papers_devices():
    assert [p.device.cells for p in (ONE_SKYRMION, FOUR_SKYRMIONS, PAIR)] == [80, 120, 100]
    assert len(FOUR_SKYRMIONS.device.skyrmions) == 4
    assert KU_TEST.device.Ku == KU_TEST.drive.levels[0]
    assert D_TEST.device.Dind == D_TEST.drive.levels[0]
