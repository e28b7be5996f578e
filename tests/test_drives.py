import numpy as np
import pytest

from spinode.devices.drives import HeldSequence, PulseSequence, RandomSine, RandomSinePair
from spinode.devices.protocols import (
    D_TEST,
    FOUR_SKYRMIONS,
    KU_TEST,
    ONE_SKYRMION,
    PAIR,
    mackey_glass_protocol,
)
from spinode.errors import InputError


@pytest.mark.parametrize(("name", "count"), [("one_skyrmion", 600), ("pair", 6001)])
def test_amplitudes_are_the_published_ones(published_numbers, name, count):
    """At the ends and in the middle of the sequences, which are shifted to lie from 1 to 2."""
    ours = RandomSine(frequency=4e9, periods=count).amplitudes
    for index, published in published_numbers["amplitudes"][name].items():
        assert ours[int(index)] == pytest.approx(2 * (published - 1) - 1, abs=1e-15)


@pytest.mark.parametrize("protocol", [ONE_SKYRMION, PAIR, KU_TEST], ids=lambda one: one.name)
def test_inputs_agree_with_the_published_table(published_numbers, protocol):
    """At rows spread over the whole run, its first nanosecond at rest left out."""
    time, *columns = np.transpose(published_numbers["rows"][protocol.name])
    sampled = protocol.drive.sample(time - 1e-9)
    for name, column in zip(protocol.drive.inputs, columns, strict=True):
        # MuMax3 keeps parameters in single precision.
        np.testing.assert_allclose(sampled[name], column, rtol=4e-7)


def test_lengths_of_the_runs():
    durations = [p.drive.duration for p in (ONE_SKYRMION, FOUR_SKYRMIONS, PAIR, KU_TEST, D_TEST)]
    np.testing.assert_allclose(durations, [150e-9, 150e-9, 150e-9, 84e-9, 64e-9])


def test_an_explicit_sequence_replaces_the_drawn_one():
    drive = RandomSine(frequency=1e9, periods=2, sequence=(1.0, -0.5))
    sampled = drive.sample(np.array([0.25e-9, 1.25e-9]))["Ku"]
    np.testing.assert_allclose(sampled, [8e5 + 2e5, 8e5 - 1e5])


def test_a_value_is_held_until_the_next_begins():
    drive = HeldSequence((0.0, 1.0, -1.0), hold=10e-12)
    sampled = drive.sample(np.array([0.0, 9.9e-12, 10e-12, 29.9e-12, 30e-12]))["Ku"]
    np.testing.assert_allclose(sampled, [8e5, 8e5, 1e6, 6e5, 6e5])


def test_the_pulse_rings_the_first_nanosecond_of_a_step():
    sampled = D_TEST.drive.sample(np.array([0.5e-9, 1.5e-9, 4.0e-9, 5.0e-9]))
    np.testing.assert_allclose(sampled["Ku"], [8.4e5, 8e5, 8.4e5, 8e5])
    np.testing.assert_allclose(sampled["Dind"], [2.6e-3, 2.6e-3, 2.65e-3, 2.65e-3])


def test_arrays_make_the_same_drives_as_tuples():
    numbers = (0.5, -0.25)
    assert RandomSine(periods=2, sequence=np.array(numbers)) == RandomSine(
        periods=2, sequence=numbers
    )
    assert HeldSequence(np.array(numbers)) == HeldSequence(numbers)
    levels = PulseSequence("Ku", np.array([8e5, 9e5]), "Dind", 3e-3, 3e-3).levels
    assert levels == (8e5, 9e5)


@pytest.mark.parametrize(("trained", "minimum"), [(ONE_SKYRMION, -0.4), (FOUR_SKYRMIONS, -0.25)])
def test_mackey_glass_is_scaled_to_the_papers_minimum(trained, minimum):
    masked = np.outer([0.5, 1.0], [1.0, -2.0, 0.3])
    drive = mackey_glass_protocol(trained, masked).drive
    assert min(drive.values) == pytest.approx(minimum)
    np.testing.assert_allclose(drive.values, masked.ravel() * minimum / -2.0)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: RandomSine(periods=3, sequence=(0.1, 0.2)), "3 periods need"),
        (lambda: RandomSine(periods=7000), "7000 periods need"),
        (lambda: RandomSine(sequence=(2.0,), periods=1), r"\[-1, 1\]"),
        (lambda: RandomSine(input="Bext"), "unknown"),
        (lambda: RandomSine(amplitude=2e11), "check its unit"),
        (lambda: RandomSine(frequency=-1.0), "positive"),
        (lambda: RandomSine(frequency="4 GHz"), "positive number"),
        (lambda: RandomSine(offset="8e5"), "'8e5' is not a number"),
        (lambda: RandomSine(periods=2.5), "whole number"),
        (lambda: RandomSine(periods=2, start=-700), "not negative"),
        (lambda: HeldSequence("abc"), "are not numbers"),
        (lambda: RandomSinePair(RandomSine(), RandomSine()), "both drive Ku"),
        (
            lambda: RandomSinePair(
                RandomSine(periods=10), RandomSine("Dind", 3e-3, 1e-4, periods=11)
            ),
            "make them equal",
        ),
        (lambda: HeldSequence(()), "empty"),
        (lambda: HeldSequence((float("nan"),)), "NaN"),
        (lambda: PulseSequence("Ku", (8e5,), "Ku", 8e5, 8e5), "both swept and pulsed"),
        (lambda: PulseSequence("Ku", (8e5,), "Dind", 3e-3, 3e-3, hold=1e-9), "fills the step"),
        (lambda: mackey_glass_protocol(PAIR, np.array([-1.0])), "not a reservoir"),
        (lambda: mackey_glass_protocol(ONE_SKYRMION, np.array([1.0])), "negative minimum"),
        (lambda: ONE_SKYRMION.drive.sample(np.array([151e-9])), "lasts from 0 to"),
    ],
)
def test_bad_drives_are_refused_in_one_sentence(build, says):
    with pytest.raises(InputError, match=says) as caught:
        build()
    assert "\n" not in str(caught.value)
