"""GDMix's and Photon-ML's files through Parquet and Avro: every value comes back."""

from gdmix.cli.converting import Target, run_convert
from gdmix.cli.output import Output
from gdmix.data.conversion import Wish
from gdmix.data.source import open_source

_SMALL = 200_000


def rows(path):
    source = open_source(path)
    names = sorted(source.schema.names)
    batches = source.batches(names, frozenset())
    # nan is not itself
    return repr([row for batch in batches for row in batch.columns.to_pylist()])


def test_files_come_back_from_parquet_and_avro(shared_data, tmp_path):
    folders = [shared_data("gdmix"), shared_data("photon-ml")]
    files = [
        path
        for folder in folders
        for kind in ("*.avro", "*.tfrecord")
        for path in sorted(folder.rglob(kind))
        if path.stat().st_size < _SMALL
    ]
    assert len(files) > 25
    for path in files:
        here = path
        for name in ("a.parquet", "a.avro"):
            target = Target.of(tmp_path / name, None, None)
            run_convert([str(here)], target, Wish(), None, Output(quiet=True), overwrite=True)
            here = target.path
        assert rows(here) == rows(path), path
