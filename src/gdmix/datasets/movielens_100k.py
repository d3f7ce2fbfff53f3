"""MovieLens 100K: which files it is made of, and where they can be had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdmix.datasets.describe import Dataset, Files, Form, RawFile
from gdmix.datasets.remotes import WheelOf, ZipAt

if TYPE_CHECKING:
    import pyarrow as pa


def _read_grouplens(files: Files) -> pa.Table:
    from gdmix.datasets import movielens  # imported late: it needs pyarrow

    return movielens.read_grouplens(files["u.data"], files["u.item"], files["u.user"])


def _read_recbole(files: Files) -> pa.Table:
    from gdmix.datasets import movielens

    parts = (files[f"ml-100k.{part}"] for part in ("inter", "item", "user"))
    return movielens.read_recbole(*parts)


GROUPLENS = Form(
    "GroupLens's files (year: that of the release date)",
    (
        RawFile(
            "u.data",
            1_979_173,
            "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490",
        ),
        RawFile(
            "u.item",
            236_344,
            "553841ebc7de3a0fd0d6b62a204ea30c1e651aacfb2814c7a6584ac52f2c5701",
        ),
        RawFile(
            "u.user",
            22_628,
            "f120e114da2e8cf314fd28f99417c94ae9ddf1cb6db8ce0e4b5995d40e90e62c",
        ),
    ),
    _read_grouplens,
)

RECBOLE = Form(
    "RecBole's atomic files (year: that of the title)",
    (
        RawFile(
            "ml-100k.inter",
            1_979_230,
            "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
        ),
        RawFile(
            "ml-100k.item",
            66_632,
            "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
        ),
        RawFile(
            "ml-100k.user",
            22_697,
            "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972",
        ),
    ),
    _read_recbole,
)

_URL = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
_WHEEL = "recbole==1.2.1"

MOVIELENS_100K = Dataset(
    name="movielens-100k",
    description="100,000 ratings of 1,682 movies by 943 users (GroupLens, 1998)",
    licence=(
        "MovieLens 100K is for research use: no redistribution and no commercial use without "
        "GroupLens's permission, no endorsement implied; publications cite F. M. Harper and "
        "J. A. Konstan, The MovieLens Datasets: History and Context, ACM TiiS 5(4):19, 2015"
    ),
    folder="ml-100k",
    forms=(GROUPLENS, RECBOLE),
    remotes=(
        (ZipAt(_URL, "ml-100k/"), GROUPLENS),
        (WheelOf(_WHEEL, "recbole/dataset_example/ml-100k/"), RECBOLE),
    ),
    ways_out=(
        f"download {_URL} by hand, unzip it, and name its folder with --from DIR "
        "or in the environment variable GDMIX_DATASETS",
        "allow access to the network",
        f"set up pip for a package index that has {_WHEEL}",
    ),
)
