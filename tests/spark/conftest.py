"""A small Spark in this process; without Java the tests are skipped, but not in CI."""

import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

HOW = (
    "Spark needs Java 17 or later: install one (`apt-get install openjdk-17-jre-headless`, "
    "`brew install openjdk@17`) and set JAVA_HOME, and PySpark: pip install 'gdmix[spark]'"
)

# a short start counts for more than fast code here
SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
    "spark.sql.shuffle.partitions": "2",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave what data frames are asked for to every run of the tests; the rest takes minutes."""
    here = Path(__file__).parent
    for item in items:
        if item.path.parent == here and item.path.name != "test_frames.py":
            item.add_marker("cluster")


def require_java() -> None:
    """Skip, or fail where the tests must run."""
    home = os.environ.get("JAVA_HOME")
    there = shutil.which("java") or (home and (Path(home) / "bin" / "java").is_file())
    if there:
        try:
            import pyspark  # noqa: F401
        except ImportError:
            there = None
    if not there:
        must = os.environ.get("CI") and not os.environ.get("GDMIX_WITHOUT_SPARK")
        (pytest.fail if must else pytest.skip)(HOW)


@pytest.fixture(scope="session")
def spark():
    """Return a session with two cores."""
    require_java()
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ["PYSPARK_PYTHON"] = sys.executable
    # executors' processes find what is tested
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").appName("gdmix-tests")
    for key, value in SETTINGS.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("FATAL")
    yield session
    session.stop()
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before
