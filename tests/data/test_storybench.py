import json
from collections import defaultdict
from pathlib import Path

import pytest

from mov_ai.data.storybench import FILES, Story, intervals_of, load_stories
from mov_ai.errors import UsageError
from tests.data.real_files import real_folder


def entry(name: str, video: str, texts: list[str], frames: list[int]) -> dict:
    path = f"storybench/npy/{video}.npy"
    return {"comment": name, "npz_video": path, "texts": texts, "exact_frames_per_prompt": frames}


def write(folder: Path, **entries: list) -> Path:
    for file in FILES:
        (folder / file).write_text(json.dumps(entries.get(file.split("-")[0], [])), encoding="utf-8")
    return folder


def test_a_story_knows_where_and_when_its_sentences_are(tmp_path):
    write(tmp_path, uvo=[entry("u1", "abc", ["A man sits. ", "He stands up"], [30, 10])])
    (story,) = load_stories(tmp_path)
    assert story.id == "uvo/u1"
    assert story.text == "A man sits. He stands up."
    assert [story.text[start:end] for start, end in story.spans] == ["A man sits.", "He stands up."]
    assert story.shares == (0.75, 0.25)
    assert story.intervals == ((0, 0.75), (0.75, 1))


def test_windows_of_a_video_and_clips_of_a_compilation_stay_together(tmp_path):
    oops = [entry(f"o{i}", f"Best Fails {i % 7} _ FailArmy{i}", ["A dog runs."], [8]) for i in range(300)]
    uvo = [entry(f"u{i}", f"video{i // 2}", ["A dog runs."], [8]) for i in range(600)]
    stories = load_stories(write(tmp_path, oops=oops, uvo=uvo))
    splits = defaultdict(set)
    for story in stories:
        splits[story.source].add(story.split)
    assert all(len(found) == 1 for found in splits.values())
    assert len(splits) == 307
    held = sum(story.split == "held_out" for story in stories if story.id.startswith("uvo"))
    assert 0.05 < held / 600 < 0.15
    assert [s.split for s in load_stories(tmp_path)] == [s.split for s in stories]


def test_intervals_follow_each_other():
    assert intervals_of([1, 1, 2]) == ((0, 0.25), (0.25, 0.5), (0.5, 1))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({}, "expected a list of stories; found dict"),
        ([{"texts": ["A dog runs."]}], "entry 0 is not a story"),
        ([entry("a", "v", ["A dog runs."], [3, 4])], "found 1 sentences and the counts"),
        ([entry("a", "v", ["A dog runs."], [0])], "frame counts of at least 1"),
    ],
)
def test_other_files_are_refused(tmp_path, wrong, message):
    write(tmp_path)
    (tmp_path / FILES[0]).write_text(json.dumps(wrong))
    with pytest.raises(UsageError, match=message):
        load_stories(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"oops-valid_story_gen\.json"):
        load_stories(tmp_path)


def test_the_real_stories():
    stories = load_stories(real_folder("storybench"))
    assert len(stories) == 3967
    assert len({story.id for story in stories}) == 3967
    held: list[Story] = [story for story in stories if story.split == "held_out"]
    assert 0.08 < len(held) / len(stories) < 0.12
    assert not {s.source for s in held} & {s.source for s in stories if s.split == "train"}
