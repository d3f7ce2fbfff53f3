"""MovieLens's ratings, movies and users as one Arrow table.

Two published forms are read: GroupLens's own files, and RecBole's atomic files. They give the
same table but for one column:

- `year` is the release year over 2000, as in GDMix's recipe. GroupLens's files hold the date of
  release; RecBole drops it, and keeps the year in the title's parentheses. The two differ for
  190 of the 1,682 movies (4,792 ratings), mostly by a year; where by more, the date is that of a
  later release: "Return of the Jedi (1983)" has 14-Mar-1997.
- `title` has no year. RecBole cut off whatever was in the last parentheses and put it in its
  own column; joined again, both forms read the same.

One movie, number 267, is named "unknown" and has neither date nor year: its year is null.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

# fmt: off
GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime",
    "Documentary", "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance",
    "Sci-Fi", "Thriller", "War", "Western",
)
# fmt: on
"""In the order of the flags in ``u.item``."""

# a letter code may follow the year: "... (1995) (V)" is a movie made for video
_TITLE = re.compile(r"(?P<title>.*?)\s*\((?P<year>\d{4})\)(?:\s*\([A-Z]+\))?\s*")
_RECBOLE_UNKNOWN = "unkonwn"  # spelt so there, for movie 267: a missing title, a missing year


class Movie(NamedTuple):
    """A movie's columns."""

    title: str
    year: float | None
    genres: list[str]


class User(NamedTuple):
    """A user's columns."""

    age: float
    gender: str
    occupation: str


def read_grouplens(data: bytes, item: bytes, user: bytes) -> pa.Table:
    """Return the table of ``u.data``, ``u.item`` and ``u.user``."""
    movies = {}
    for number, title, date, _, _, *flags in _rows(item, "|", "latin-1"):
        genres = [genre for genre, flag in zip(GENRES, flags, strict=True) if flag == "1"]
        # a date reads 01-Jan-1995
        year = int(date[-4:]) / 2000 if date else None
        movies[int(number)] = _movie(title, genres)._replace(year=year)
    return _table(_rows(data, "\t"), movies, _users(_rows(user, "|")))


def read_recbole(inter: bytes, item: bytes, user: bytes) -> pa.Table:
    """Return the table of ``ml-100k.inter``, ``ml-100k.item`` and ``ml-100k.user``."""
    movies = {}
    for number, title, cut, words in _rows(item, "\t")[1:]:
        whole = "unknown" if title == _RECBOLE_UNKNOWN else f"{title} ({cut})"
        movies[int(number)] = _movie(whole, sorted(words.split(), key=GENRES.index))
    return _table(_rows(inter, "\t")[1:], movies, _users(_rows(user, "\t")[1:]))


def _rows(content: bytes, separator: str, encoding: str = "utf-8") -> list[list[str]]:
    # not splitlines(), which would also break at characters that titles may hold
    return [line.split(separator) for line in content.decode(encoding).split("\n") if line]


def _movie(whole: str, genres: list[str]) -> Movie:
    match = _TITLE.fullmatch(whole)
    if match is None:
        return Movie(whole, None, genres)
    return Movie(match["title"], int(match["year"]) / 2000, genres)


def _users(rows: Iterable[list[str]]) -> dict[int, User]:
    return {
        int(number): User(int(age) / 100, gender, occupation)
        for number, age, gender, occupation, _ in rows
    }


def _table(
    ratings: Iterable[list[str]], movies: dict[int, Movie], users: dict[int, User]
) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    # all four columns are whole numbers, in RecBole's files too, whatever their header says
    user_id, movie_id, rating, timestamp = np.array(list(ratings), dtype=np.int64).T
    numbers = {
        "uid": np.arange(len(rating)),
        "user_id": user_id,
        "movie_id": movie_id,
        "rating": rating,
        "timestamp": timestamp,
        "response": rating > 3,
    }
    columns: dict[str, Any] = {
        name: pa.array(np.asarray(values, np.int64)) for name, values in numbers.items()
    }
    of_user = [users[key] for key in user_id.tolist()]
    of_movie = [movies[key] for key in movie_id.tolist()]
    columns["age"] = pa.array([user.age for user in of_user], pa.float64())
    columns["gender"] = pa.array([user.gender for user in of_user], pa.string())
    columns["occupation"] = pa.array([user.occupation for user in of_user], pa.string())
    genres = [movie.genres for movie in of_movie]
    columns["genres"] = pa.array(genres, pa.list_(pa.string()))
    columns["year"] = pa.array([movie.year for movie in of_movie], pa.float64())
    columns["title"] = pa.array([movie.title for movie in of_movie], pa.string())
    return pa.table(columns)
