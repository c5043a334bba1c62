"""Of a folder of images it is said what is taken, and what is not."""

import pytest
from PIL import Image

from pipelines.core.errors import UserError
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
