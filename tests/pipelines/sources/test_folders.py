"""Of a folder of images it is said what is taken, and what is not."""

import shutil

import pytest
from PIL import Image

from pipelines.core.errors import UserError
from pipelines.data.split_files import read_split
from tests.pipelines.pictures import images


def test_names_that_begin_with_a_dot_are_not_looked_at(prepared, tmp_path):
    source = images(tmp_path / "pets")
    for hidden in (".ipynb_checkpoints/x.png", "cat/._1.png", "cat/.thumbs/1.png"):
        path = tmp_path / "pets" / hidden
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"none")
    manifest = prepared(source, {}, kind="image", test=2)[0]
    assert manifest.classes == ["cat", "dog"]
    assert manifest.changes == {}


def test_what_is_not_taken_is_counted_and_the_first_named(prepared, tmp_path, capsys):
    source = images(tmp_path / "pets")
    (tmp_path / "pets/cat/9.heic").write_bytes(b"")
    (tmp_path / "pets/labels.csv").write_text("")
    (tmp_path / "pets/bird").mkdir()
    prepared(source, {}, kind="image", test=2)
    said = capsys.readouterr().err
    assert f"2 files not taken, the first of them {tmp_path}/pets/cat/9.heic" in said
    assert f"1 class folders without an image, the first of them {tmp_path}/pets/bird" in said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("cat/close/1.png", r"cat/close/1\.png: is deeper than \[train\|test/\]<class>/<image>"),
        ("test/cat/1.png", r"pets/test: has folders, and no train/ beside it; move the other classes to .*pets/train"),
        ("train/cat/1.png", r"pets/cat: beside train/ only test/ is allowed"),
    ],
)
def test_a_folder_that_may_be_meant_in_two_ways_is_refused(more, said, prepared, tmp_path):
    source = images(tmp_path / "pets")
    path = tmp_path / "pets" / more
    path.parent.mkdir(parents=True)
    Image.new("L", (8, 8)).save(path)
    with pytest.raises(UserError, match=said):
        prepared(source, {}, kind="image", test=2)


JUDGED = {"kind": "image", "training": {"evaluate_every": 1}}


def divided(folder, judging="val", tested=True):
    """Write images in train/, in ``judging`` and, if ``tested``, in test/; return the source that names ``judging``."""
    images(folder / "train")
    images(folder / judging, (8,) * 4)
    if tested:
        images(folder / "test", (8,) * 2)
    return {"from": "folder", "folder": str(folder), "validation": judging}


@pytest.mark.parametrize("judging", ["val", "validation", "held out"])
def test_a_folder_of_its_own_judges_while_a_model_trains(prepared, tmp_path, judging):
    manifest, train, test = prepared(divided(tmp_path / "pets", judging), {}, **JUDGED)
    assert manifest.counts.dumped() == {"train": 6, "test": 2, "validation": 4}
    aside = read_split("validation", manifest)
    assert (train.ids.tolist(), test.ids.tolist(), aside.ids.tolist()) == ([*range(6)], [6, 7], [*range(8, 12)])
    for i, (pixels, label) in enumerate(zip(aside.examples.pixels, aside.examples.target, strict=True)):
        # In the order of names, cats first.
        path = tmp_path / "pets" / judging / ("cat" if label == 0 else "dog") / f"{[1, 3, 0, 2][i]}.png"
        assert pixels.tobytes() == Image.open(path).tobytes()


def test_without_a_folder_for_testing_a_part_of_training_tests(prepared, tmp_path):
    source = divided(tmp_path / "pets", tested=False)
    manifest, _, test = prepared(source, {}, test=2, **JUDGED)
    assert manifest.counts.dumped() == {"train": 4, "test": 2, "validation": 4}
    assert set(test.ids) < set(range(6))
    assert read_split("validation", manifest).ids.tolist() == [6, 7, 8, 9]


def test_a_folder_that_judges_is_named_and_is_there(prepared, tmp_path):
    source, pets = divided(tmp_path / "pets"), tmp_path / "pets"
    with pytest.raises(
        UserError, match=r"pets/val: beside train/ only test/ is allowed; set source.validation: val if it judges"
    ):
        prepared({key: value for key, value in source.items() if key != "validation"}, {}, kind="image")
    with pytest.raises(
        UserError, match=r"pets/judge: no such folder, and source.validation names it; set source.validation: val$"
    ):
        prepared(source | {"validation": "judge"}, {}, **JUDGED)
    images(pets / "validation")
    with pytest.raises(UserError, match=r"pets/validation: beside train/ only test/ and val/ are allowed; move this folder"):
        prepared(source, {}, **JUDGED)
    shutil.rmtree(pets / "validation")
    for picture in (pets / "val").rglob("*.png"):
        picture.unlink()
    with pytest.raises(
        UserError, match=r"pets/val: has no images of the layout <class>/<image>, and source.validation names it"
    ):
        prepared(source, {}, **JUDGED)
    shutil.rmtree(pets / "val")
    with pytest.raises(
        UserError, match=r"pets/val: no such folder, and source.validation names it; name the folder that judges"
    ):
        prepared(source, {}, **JUDGED)
    other = images(tmp_path / "others")
    with pytest.raises(
        UserError, match=r"others/cat: judges beside train/, and .*others has no such folder; move the rest to "
    ):
        prepared(other | {"validation": "cat"}, {}, test=2, **JUDGED)


def test_a_class_that_training_lacks_is_named(prepared, tmp_path):
    source = divided(tmp_path / "pets")
    (tmp_path / "pets/val/cat").rename(tmp_path / "pets/val/bird")
    with pytest.raises(UserError, match=r"bird"):
        prepared(source, {}, **JUDGED)
