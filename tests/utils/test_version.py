"""Versions as tuples."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from mainspring.utils import digit_version, get_git_hash


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.2", (1, 2, 0, 0, 0, 0)),
        ("1.0.0a1", (1, 0, 0, 0, -3, 1)),
        ("1.0_beta", (1, 0, 0, 0, -2, 0)),
        ("1.0rc2.post1", (1, 0, 0, 0, -1, 2)),
        ("1.0.preview3", (1, 0, 0, 0, -1, 3)),
        ("1.0.0.dev3", (1, 0, 0, 0, -4, 0)),
        ("1.0a1.dev4", (1, 0, 0, 0, -3, 1)),
        ("2.1.0+cu118", (2, 1, 0, 0, 0, 0)),
        ("v1.0-1", (1, 0, 0, 0, 1, 1)),
        ("1.0r4", (1, 0, 0, 0, 1, 4)),
        ("1!2.3.4.5.6", (2, 3, 4, 5, 0, 0)),
    ],
)
def test_mmengine_tuples(text, expected):
    assert digit_version(text) == expected


def test_length():
    assert digit_version("1.2.3", length=2) == (1, 2, 0, 0)


@pytest.mark.parametrize("text", ["", "abc", "1.0x", "parrots", "1..2", "1.0.post.x"])
def test_what_is_not_a_version(text):
    with pytest.raises(ValueError, match="not a version"):
        digit_version(text)


numbers = st.integers(0, 99).map(str)
versions = st.builds(
    "".join,
    st.tuples(
        st.lists(numbers, min_size=1, max_size=4).map(".".join),
        st.sampled_from(["", "a1", "-beta.2", "rc3", "c4", ".pre", "ALPHA5"]),
        st.sampled_from(["", "-2", ".post3", "rev4", "_r5"]),
        st.sampled_from(["", ".dev6", "dev"]),
        st.sampled_from(["", "+cpu", "+cu118.x"]),
    ),
)


@given(versions)
def test_the_tuple_holds_what_packaging_reads(text):
    reference = Version(text)
    release = [*reference.release, 0, 0, 0][:4]
    release += [0] * (4 - len(release))
    if reference.pre:
        stage = ({"a": -3, "b": -2, "rc": -1}[reference.pre[0]], reference.pre[1])
    elif reference.dev is not None:
        stage = (-4, 0)
    else:
        stage = (0, 0) if reference.post is None else (1, reference.post)
    assert digit_version(text) == (*release, *stage)


def test_git_hash(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert get_git_hash(fallback="none") == "none"
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", *identity, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    assert len(get_git_hash()) == 40
    assert get_git_hash(digits=7) == get_git_hash()[:7]
    with pytest.raises(TypeError, match="digits"):
        get_git_hash(digits="7")
