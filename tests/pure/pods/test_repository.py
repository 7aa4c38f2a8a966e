"""Where an artifact is kept follows from its own words, the template's and the repository's."""

from __future__ import annotations

from typing import Any

import pytest

from actors.contract.repository import (
    BadLocation,
    base_location,
    host_directory,
    key_format,
    located,
    save_location,
    with_sub_path,
)

S3: dict[str, Any] = {"s3": {"endpoint": "e", "bucket": "b", "keyFormat": "x/{{workflow.name}}", "insecure": True}}


@pytest.mark.spec("REPO-5")
def test_a_key_alone_inherits_from_a_repository_of_its_driver() -> None:
    assert located({"name": "a", "s3": {"key": "k"}}, S3) == {
        "s3": {"endpoint": "e", "bucket": "b", "insecure": True, "key": "k"}
    }


@pytest.mark.spec("REPO-5")
def test_a_whole_place_of_its_own_inherits_nothing() -> None:
    own = {"s3": {"bucket": "own", "endpoint": "x", "key": "k"}}
    assert located({"name": "a", **own}, S3) == own


@pytest.mark.spec("REPO-5")
@pytest.mark.parametrize(
    ("base", "meant"),
    [
        (S3, {"s3": {"endpoint": "e", "bucket": "b", "insecure": True, "key": "k/x"}}),
        ({"gcs": {"bucket": "g", "keyFormat": "f"}}, {"gcs": {"bucket": "g", "key": "k/x"}}),
        ({"azure": {"endpoint": "e", "container": "c"}}, {"azure": {"endpoint": "e", "container": "c", "blob": "k/x"}}),
        ({"artifactory": {"repoURL": "https://h/repo"}}, {"artifactory": {"url": "https://h/k/x"}}),
    ],
)
def test_a_place_that_is_not_whole_counts_for_nothing_but_its_key(base: Any, meant: Any) -> None:
    assert located({"name": "a", "s3": {"bucket": "own", "key": "k/x"}}, base) == meant


@pytest.mark.parametrize("repository", [None, {}, {"http": {"url": "x"}, "git": {}}])
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
        {"name": "a", "path": "/a"},
        {"archiveLogs": True, "s3": {"bucket": "own", "endpoint": "x", "key": "folder"}},
        S3,
        "wf/pod",
    )
    assert place == {"s3": {"bucket": "own", "endpoint": "x", "key": "folder/a.tgz"}}
    assert save_location({"name": "a", "path": "/a"}, {"archiveLogs": True}, S3, "wf/pod")["s3"]["bucket"] == "b"


@pytest.mark.spec("ART-15")
@pytest.mark.parametrize("lacking", [{"key": "folder"}, {"bucket": "own", "key": "folder"}, {"bucket": "own"}])
def test_an_archive_location_that_is_not_whole_gives_way_to_the_repository(lacking: Any) -> None:
    assert save_location({"name": "a", "path": "/a"}, {"s3": lacking}, S3, "wf/pod")["s3"] == {
        "endpoint": "e", "bucket": "b", "insecure": True, "key": "wf/pod/a.tgz",
    }  # fmt: skip


@pytest.mark.spec("ART-15", "REPO-5")
def test_a_key_alone_is_beside_the_templates_archive_location() -> None:
    place = {"s3": {"endpoint": "x", "bucket": "own", "key": "folder"}}
    whole = {"s3": {"endpoint": "x", "bucket": "own", "key": "k"}}
    assert save_location({"name": "a", "path": "/a", "s3": {"key": "k"}}, place, S3, "p") == whole
    assert located({"name": "a", "s3": {"key": "k"}}, base_location(place, S3)) == whole


@pytest.mark.spec("ART-15", "DRV-3", "DRV-4")
@pytest.mark.parametrize("driver", ["http", "artifactory"])
def test_an_archive_location_may_be_an_address(driver: str) -> None:
    place = save_location({"name": "a", "path": "/a"}, {driver: {"url": "https://h/folder"}}, S3, "p")
    assert place == {driver: {"url": "https://h/folder/a.tgz"}}


@pytest.mark.spec("REPO-4", "ART-16")
@pytest.mark.parametrize(
    ("section", "meant"),
    [
        ({}, None),
        ({"keyFormat": "x/{{pod.name}}", "keyPrefix": "p"}, "x/{{pod.name}}"),
        ({"keyPrefix": "p/"}, "p/{{workflow.name}}/{{pod.name}}"),
    ],
)
def test_a_key_format_may_be_given_as_the_prefix_of_old(section: Any, meant: Any) -> None:
    assert key_format({"s3": {"bucket": "b", **section}}) == meant


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
    assert with_sub_path({"http": {"url": "http://h/k"}}, "x")["http"]["url"] == "http://h/k/x"
    with pytest.raises(BadLocation, match="no key"):
        with_sub_path({"raw": {"data": ""}}, "x")


def test_only_a_file_endpoint_is_a_directory_of_the_node() -> None:
    assert host_directory({"s3": {"endpoint": "file:///srv/x"}}) == "/srv/x"
    assert host_directory({"s3": {"endpoint": "minio:9000"}}) == ""
    assert host_directory({"raw": {"data": "x"}}) == ""
