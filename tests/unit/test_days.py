"""Daily folders: which files a range of days means."""

from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import gdmix
from gdmix.config import TrainOptions
from gdmix.data.days import Days, daily, find_days, parse_days
from gdmix.errors import ConfigError, DataError

TODAY = date(2016, 3, 1)


def put(root, *days):
    for k, day in enumerate(days):
        path = root / day / "part-0.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.table({"x": [float(k)]}), path)


def names(found, root):
    return [str(path.parent.relative_to(root)) for path in found]


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("20160101-20160131", (2016, 1, 1), (2016, 1, 31)),
        ("20160229-20160229", (2016, 2, 29), (2016, 2, 29)),
        ("30-1", (2016, 1, 31), (2016, 2, 29)),
        ("366-366", (2015, 3, 1), (2015, 3, 1)),
        ("0-0", (2016, 3, 1), (2016, 3, 1)),
    ],
)
def test_ranges(text, first, last):
    days = parse_days(text, "train_dates", TODAY)
    assert days == Days(date(*first), date(*last))
    assert parse_days(str(days), "") == days


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20160101",
        "1-30",
        "20160131-20160101",
        "20160230-20160301",
        "20160101-1",
        "123456-1",
        "-1-0",
        "30 - 1",
        "2016-01-01",
        "00000101-20160101",
        "\N{ARABIC-INDIC DIGIT THREE}-1",
    ],
)
def test_what_is_no_range(text):
    expected = "expected days as 20160101-20160131, or days ago as 30-1, the earlier one first"
    with pytest.raises(ConfigError, match=expected):
        parse_days(text, "train_dates", TODAY)
    if text:
        with pytest.raises(ConfigError, match=f"train_dates: found .*{expected}"):
            options(train_dates=text)


def test_a_range_that_begins_before_the_calendar():
    with pytest.raises(ConfigError, match="days ago as 30-1"):
        parse_days("99999-0", "train_dates", date(200, 1, 1))


@pytest.mark.parametrize("inner", ["", "daily"])
def test_files_by_day(tmp_path, inner):
    put(tmp_path / inner, "2016/01/31", "2015/12/31", "2016/01/02", "2016/02/01", "2016/01/01/a")
    (tmp_path / inner / "2016" / "01" / "03").mkdir()
    (tmp_path / inner / "2016" / "01" / "03" / "_SUCCESS").touch()
    (tmp_path / inner / "2016" / "01" / "7").mkdir()
    (tmp_path / inner / "2016" / "13" / "01").mkdir(parents=True)
    found = find_days([tmp_path], parse_days("20160101-20160131", ""))
    inside = tmp_path / inner
    assert names(found.files, inside) == ["2016/01/01/a", "2016/01/02", "2016/01/31"]
    assert found.note == (
        f"{tmp_path}: 3 of 31 days have data; not 20160103, 20160104, 20160105 and 25 more"
    )
    assert not find_days([tmp_path], parse_days("20160101-20160102", "")).note
    everything = daily(str(tmp_path), "00010101-99991231")
    assert names(everything, inside)[0] == "2015/12/31"
    assert len(everything) == 5


def test_days_ago_by_todays_date(tmp_path):
    put(tmp_path, f"{date.today():%Y/%m/%d}")
    assert len(daily(tmp_path, "1-0")) == 1


def test_several_folders(tmp_path):
    put(tmp_path / "b", "2016/01/01", "2016/01/02")
    put(tmp_path / "a" / "daily", "2016/01/02")
    asked = "20160101-20160102"
    assert names(gdmix.daily([tmp_path / "b", tmp_path / "a"], asked), tmp_path) == [
        "b/2016/01/01",
        "b/2016/01/02",
        "a/daily/2016/01/02",
    ]
    assert names(daily(tmp_path / "*", asked), tmp_path)[0] == "a/daily/2016/01/02"


def test_what_is_not_there(tmp_path):
    put(tmp_path / "a", "2016/01/01", "2016/02/03")
    put(tmp_path / "b", "2017/01/01")
    (tmp_path / "c").mkdir()
    (tmp_path / "d.csv").touch()
    for name, problem in (
        ("a", "no data files on the days 20170101-20170102; it has 20160101-20160203"),
        ("c", "no data files on the days 20170101-20170102; it has no folders yyyy/MM/dd"),
        ("d.csv", "a file; expected a folder of folders yyyy/MM/dd"),
        ("e", "no such folder"),
        ("e*", "no such folder"),
    ):
        with pytest.raises(DataError) as error:
            daily([tmp_path / "b", tmp_path / name], "20170101-20170102")
        assert str(error.value) == f"{tmp_path / name}: {problem}"


def test_photons_folders(shared_data):
    """The tree that Photon-ML's IOUtilsTest selects from, and what it expects."""
    root = shared_data("photon-ml") / "photon-client/src/integTest/resources/IOUtilsTest/input"
    for asked, expected in (
        ("20160101-20160401", ["2016/01/01", "2016/02/01", "2016/03/01"]),
        ("20160101-20160301", ["2016/01/01", "2016/02/01", "2016/03/01"]),
        ("20160101-20160201", ["2016/01/01", "2016/02/01"]),
        ("20160102-20160301", ["2016/02/01", "2016/03/01"]),
    ):
        assert names(daily(root, asked), root / "daily") == expected
        assert daily(root / "daily", asked) == daily(root, asked)
    with pytest.raises(DataError, match="no data files on the days 19551105-19551105"):
        daily(root, "19551105-19551105")


def options(**values):
    given = {"label": "y", "train": "t", "output": "o", "coordinates": {"g": {"features": "x"}}}
    return TrainOptions.parse(given | values)


def test_options_are_dated():
    given = options(train_dates="30-1", validation="v", validation_dates="0-0")
    dated = given.dated(TODAY)
    assert (dated.train_dates, dated.validation_dates) == ("20160131-20160229", "20160301-20160301")
    assert options().dated(TODAY) == options()
    with pytest.raises(ConfigError, match="validation_dates: there is no validation data"):
        options(validation_dates="1-0")
