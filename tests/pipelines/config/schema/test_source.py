"""Sources of data and models: what they name, and what is refused."""

import pytest
from pydantic import ValidationError

from pipelines.config.schema.source import FromFolder, FromIdx, FromPackage

TASK = "tasks.movie-reviews"
BAD = {
    "a short hash": ({f"{TASK}.source.sha256": "12"}, r"source.sha256: .*pattern.*got '12'"),
    "an option as package": ({f"{TASK}.source.package": "--index-url=x"}, r"source.package: .*pattern"),
    "unknown source": ({f"{TASK}.source.from": "packages"}, r"source: .*'packages'.*'package'"),
}


@pytest.mark.parametrize(("changes", "text"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_by_name_and_nothing_is_written(refused, changes, text):
    refused(changes, text)


PACKAGE = {"from": "package", "package": "x", "version": "1.0", "archive": "wheel", "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, "must name a member or members, got neither"),
        ({"member": ["a.csv"], "members": {"one": ["a.csv"]}}, "must name a member or members, got both"),
        ({"members": {"one": ["a.csv"]}, "members_sha256": {"two": "0" * 64}}, "members_sha256: 'two' is none of the members"),
        ({"member": ["a.csv"], "test_member_sha256": "0" * 64}, "test_member_sha256: needs a test_member, and there is none"),
        (
            {"member": ["a.csv"], "validation_member_sha256": "0" * 64},
            "validation_member_sha256: needs a validation_member, and there is none",
        ),
        (
            {"members": {"one": ["a.csv"]}, "validation_member": ["b.csv"]},
            "validation_member: stands beside one member, and this source has members",
        ),
        (
            {"member": ["a.csv"], "validation_member": ["a.csv"]},
            r"validation_member: must be another than member, got \['a.csv'\] for both",
        ),
        (
            {"member": ["a.csv"], "test_member": ["b.csv"], "validation_member": ["b.csv"]},
            r"validation_member: must be another than test_member, got \['b.csv'\] for both",
        ),
        ({"member": ["a.csv"], "version": "1.0; x"}, "version\n.*pattern"),
    ],
)
def test_a_package_names_one_member_or_several_and_hashes_of_those_alone(keys, said):
    with pytest.raises(ValidationError, match=said):
        FromPackage.model_validate(PACKAGE | keys)


@pytest.mark.parametrize("files", ["*", "*.txt", "a/b/*.txt"])
def test_documents_lie_inside_their_folder(files):
    assert FromFolder.model_validate({"from": "folder", "folder": "x", "files": files}).files == files
    for outside in (f"/{files}", f"../{files}", f"a/../{files}", "a//b"):
        with pytest.raises(ValidationError, match=r"files\n.*pattern"):
            FromFolder.model_validate({"from": "folder", "folder": "x", "files": outside})


@pytest.mark.parametrize(("kind", "taken"), [(FromFolder, ("train", "test")), (FromIdx, ("train", "t10k"))])
def test_a_validation_split_lies_beside_the_others(kind, taken):
    own = {"from": "folder" if kind is FromFolder else "idx", "folder": "x"}
    assert kind.model_validate(own | {"validation": "val"}).validation == "val"
    assert "validation" not in kind.model_validate(own).model_dump(by_alias=True)
    for name in taken:
        with pytest.raises(ValidationError, match=f"must be another than {taken[0]} and {taken[1]}, .* got '{name}'"):
            kind.model_validate(own | {"validation": name})
    for outside in ("../val", "a/b", ".val", ""):
        with pytest.raises(ValidationError, match=r"validation\n.*pattern"):
            kind.model_validate(own | {"validation": outside})
