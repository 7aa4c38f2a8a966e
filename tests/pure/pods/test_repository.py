"""Where an artifact is kept follows from its own words, the template's and the repository's."""

from __future__ import annotations

from typing import Any

import pytest

from actors.contract.repository import BadLocation, host_directory, located, save_location, with_sub_path

S3: dict[str, Any] = {"s3": {"endpoint": "e", "bucket": "b", "keyFormat": "x/{{workflow.name}}", "insecure": True}}


@pytest.mark.spec("REPO-5")
def test_a_key_alone_inherits_from_a_repository_of_its_driver() -> None:
    assert located({"name": "a", "s3": {"key": "k"}}, S3) == {
        "s3": {"endpoint": "e", "bucket": "b", "insecure": True, "key": "k"}
    }


@pytest.mark.spec("REPO-5")
def test_a_bucket_of_its_own_inherits_nothing() -> None:
    assert located({"name": "a", "s3": {"bucket": "own", "key": "k"}}, S3) == {"s3": {"bucket": "own", "key": "k"}}


@pytest.mark.parametrize("repository", [None, {}, {"gcs": {"bucket": "b"}}])
def test_a_key_alone_without_such_a_repository_is_an_error(repository: Any) -> None:
    with pytest.raises(BadLocation, match=r"s3\.bucket"):
        located({"name": "a", "s3": {"key": "k"}}, repository)


@pytest.mark.spec("ART-16", "REPO-4")
@pytest.mark.parametrize(
    ("archive", "key"),
    [
        (None, "wf/pod/a.tgz"),
        ({"tar": {}}, "wf/pod/a.tgz"),
        ({"zip": {}}, "wf/pod/a.zip"),
        ({"none": {}}, "wf/pod/out.txt"),
    ],
)
def test_the_default_key_is_folder_and_file_name(archive: Any, key: str) -> None:
    artifact = {"name": "a", "path": "/tmp/out.txt"} | ({"archive": archive} if archive else {})
    assert save_location(artifact, None, S3, "wf/pod")["s3"] == {
        "endpoint": "e",
        "bucket": "b",
        "insecure": True,
        "key": key,
    }


@pytest.mark.spec("ART-15")
def test_the_templates_archive_location_comes_before_the_repository() -> None:
    place = save_location(
        {"name": "a", "path": "/a"}, {"archiveLogs": True, "s3": {"bucket": "own", "key": "folder"}}, S3, "wf/pod"
    )
    assert place == {"s3": {"bucket": "own", "key": "folder/a.tgz"}}
    assert save_location({"name": "a", "path": "/a"}, {"archiveLogs": True}, S3, "wf/pod")["s3"]["bucket"] == "b"


def test_an_own_key_comes_before_everything() -> None:
    assert (
        save_location({"name": "a", "path": "/a", "s3": {"key": "k"}}, {"s3": {"bucket": "x"}}, S3, "p")["s3"]["key"]
        == "k"
    )


def test_no_place_at_all_is_an_error_with_the_remedy() -> None:
    with pytest.raises(BadLocation, match="artifactRepositoryRef"):
        save_location({"name": "a", "path": "/a"}, None, None, "p")


@pytest.mark.spec("ART-9")
def test_a_sub_path_is_joined_to_the_key() -> None:
    assert with_sub_path({"s3": {"key": "k/"}}, "/x/y")["s3"]["key"] == "k/x/y"
    with pytest.raises(BadLocation, match="no key"):
        with_sub_path({"raw": {"data": ""}}, "x")


def test_only_a_file_endpoint_is_a_directory_of_the_node() -> None:
    assert host_directory({"s3": {"endpoint": "file:///srv/x"}}) == "/srv/x"
    assert host_directory({"s3": {"endpoint": "minio:9000"}}) == ""
    assert host_directory({"raw": {"data": "x"}}) == ""
