"""What is known of given pictures beyond their latents: exact there, kept where nothing changed, gone elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mov_ai.long_video.details import KnownPicture, with_details, with_own_frames

RNG = np.random.default_rng(0)
#: A flat picture with a texture that the "codec" loses.
CODED = np.full((32, 32, 3), 120, np.uint8)
PIXELS = (CODED + RNG.integers(-10, 11, CODED.shape)).astype(np.uint8)


def made(frames: list[np.ndarray], *numbers: int) -> list[np.ndarray]:
    return list(with_details(frames, [KnownPicture(number, PIXELS, CODED) for number in numbers]))


def test_nothing_given_changes_nothing() -> None:
    frames = [PIXELS, CODED]
    assert all(after is before for after, before in zip(made(frames), frames, strict=True))


def test_what_still_looks_the_same_has_the_details_of_the_picture() -> None:
    for after in made([CODED] * 4, 0):
        assert np.array_equal(after, PIXELS)
    assert np.array_equal(made([CODED], -1)[0], PIXELS), "of a frame before the first"


def test_what_changed_is_left_as_it_was_made() -> None:
    changed = CODED.copy()
    changed[:, 16:] = (240, 20, 20)
    _, after = made([CODED, changed], 0)
    assert np.array_equal(after[:, :8], PIXELS[:, :8])
    assert np.array_equal(after[:, 24:], changed[:, 24:])


def test_an_edge_that_has_moved_on_leaves_nothing_behind() -> None:
    pixels = np.full((32, 32, 3), 120, np.uint8)
    pixels[:, 16:] = 140
    # The codec holds the edge, but not sharply.
    coded = pixels.copy()
    coded[:, 14:18] = 130
    plain = np.full((32, 32, 3), 124, np.uint8)
    known = KnownPicture(-1, pixels, coded)
    moved, kept = (next(with_details([frame], [known])) for frame in (plain, coded))
    assert np.abs(moved.astype(int) - plain).max() <= 2, "of the 10 that the codec loses"
    assert np.array_equal(kept, pixels)


def test_between_two_pictures_the_nearer_one_counts_more() -> None:
    first, last = KnownPicture(0, PIXELS, CODED), KnownPicture(4, CODED, CODED)
    frames = np.stack(list(with_details([CODED] * 5, [first, last]))).astype(float)
    texture = [(frame - CODED).std() for frame in frames]
    assert texture == sorted(texture, reverse=True)
    assert texture[-1] == 0
    assert abs(texture[2] / texture[0] - 0.5) < 0.1


@given(st.integers(0, 5), st.integers(0, 255), st.integers(0, 255))
def test_frames_stay_frames(number: int, grey: int, other: int) -> None:
    frames = [np.full((8, 8, 3), (grey + 17 * i) % 256, np.uint8) for i in range(4)]
    pixels, coded = (np.full((8, 8, 3), value, np.uint8) for value in (other, 255 - other))
    after = list(with_details(frames, [KnownPicture(number, pixels, coded)]))
    assert [(frame.shape, frame.dtype) for frame in after] == [((8, 8, 3), np.dtype(np.uint8))] * 4
    if number < 4:
        assert np.array_equal(after[number], pixels)


def test_the_frames_of_a_video_stay_in_its_interpolation_and_lend_their_details() -> None:
    own = [PIXELS, PIXELS, CODED]
    frames = np.stack(list(with_own_frames([CODED] * 9, own, 4)))
    assert np.array_equal(frames[::4], np.stack(own))
    assert np.array_equal(frames[1:4], np.stack([PIXELS] * 3)), "where nothing moves"
    texture = [(frame.astype(float) - CODED).std() for frame in frames[4:]]
    assert texture == sorted(texture, reverse=True)
    assert not list(with_own_frames([], own, 4))


def test_an_interpolation_of_any_length_holds_a_few_frames() -> None:
    asked = []

    def own() -> Iterator[np.ndarray]:
        for number in range(100):
            asked.append(number)
            yield PIXELS

    made_frames = with_own_frames((CODED for _ in range(397)), own(), 4)
    for _ in range(9):
        next(made_frames)
    assert max(asked) <= 3
