import pytest

from rkd_online.errors import ObjectStoreError
from rkd_online.objects.address import checked_address


@pytest.mark.parametrize(
    ("address", "taken"),
    [
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/some/prefix/", "s3://bucket/some/prefix"),
        ("file:///var/store", "file:///var/store"),
    ],
)
def test_an_address_is_a_bucket_with_a_prefix_or_a_folder(address: str, taken: str) -> None:
    assert checked_address(address) == taken


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("simplecache::s3://bucket/prefix", "chain of file systems"),
        ("s3://bucket/a::zip://b", "chain of file systems"),
        ("reference://bucket", "none of the known schemes"),
        ("memory://bucket", "none of the known schemes"),
        ("http://host/bucket", "none of the known schemes"),
        ("/var/store", "none of the known schemes"),
        ("s3://AKIA:word@bucket/x", "a name or a password in it"),
        ("s3://bucket/x?versionId=1", "has [?] or #"),
        ("s3://bucket/x#y", "has [?] or #"),
        ("s3://bucket/../other", "has [.] or [.][.] in its path"),
        ("s3:///prefix", "names no bucket"),
        ("s3://UPPER/x", "names no bucket"),
        ("file://folder/x", "is no absolute folder"),
        ("file:///", "is no absolute folder"),
    ],
)
def test_anything_else_is_refused_with_what_to_write(address: str, problem: str) -> None:
    with pytest.raises(ObjectStoreError, match=f"RKD_OBJECT_STORE .*{problem}"):
        checked_address(address)


def test_a_password_is_not_repeated() -> None:
    with pytest.raises(ObjectStoreError) as raised:
        checked_address("s3://AKIA:word@bucket/x")
    assert "word" not in str(raised.value).replace("password", "")
