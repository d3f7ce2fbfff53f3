"""Files → CSR rows: values and bytes a second on one core, memory beside the rows that come out.

All shapes are Parquet files but `tfrecord`, of which writing is measured as well.

Every shape is read in a process of its own. Seconds are those of all processors together, so
the figures hold for one core however many decode columns at once.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

GENRES = [f"genre {i}" for i in range(18)]
NTV = ("name", "term", "value")


def lists(items, per_row):
    """Put items into lists of equal length."""
    offsets = np.arange(0, len(items) + 1, per_row, dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), items)


def texts(prefix, codes):
    """Return strings that begin alike."""
    known = pa.array([f"{prefix}{i}" for i in range(int(codes.max()) + 1)])
    return known.take(pa.array(codes))


def columns(rng, rows):
    """Numbers, strings and lists of strings, as MovieLens has them: 6 values a row."""
    genres = pa.array(GENRES).take(pa.array(rng.integers(18, size=2 * rows)))
    return {
        "age": rng.random(rows),
        "year": rng.random(rows),
        "gender": texts("g", rng.integers(2, size=rows)),
        "occupation": texts("", rng.integers(21, size=rows)),
        "genres": lists(genres, 2),
    }


def bags(rng, rows):
    """Twenty features a row of 10,000, as name, term and value."""
    codes = rng.integers(10_000, size=20 * rows)
    parts = [texts("name ", codes % 10), texts("term ", codes), pa.array(rng.random(20 * rows))]
    return {"bag": lists(pa.StructArray.from_arrays(parts, NTV), 20)}


def sparse(rng, rows):
    """Twenty features a row of 1,000,000, as indices and values."""
    indices = pa.array(rng.integers(1_000_000, size=20 * rows))
    return {"x_indices": lists(indices, 20), "x_values": lists(pa.array(rng.random(20 * rows)), 20)}


def dense(rng, rows):
    """Fifty numbers a row."""
    return {"x": pa.FixedSizeListArray.from_arrays(pa.array(rng.random(50 * rows)), 50)}


def one_hot(rng, rows):
    """One of 100,000 strings a row."""
    return {"item": texts("item-", rng.integers(100_000, size=rows))}


def tfrecord(rng, rows):
    """Forty features a row of 100,000, as GDMix keeps them in TFRecords."""
    indices, values = rng.integers(100_000, size=40 * rows), rng.random(40 * rows, np.float32)
    return {
        "x_indices": lists(pa.array(indices), 40),
        "x_values": lists(pa.array(values), 40),
    }


SHAPES = {
    columns: (6, ["age", "year", "gender", "occupation", "genres"]),
    bags: (20, ["bag"]),
    sparse: (20, ["x"]),
    dense: (50, ["x"]),
    one_hot: (1, ["item"]),
    tfrecord: (40, ["x"]),
}


def write(folder, nnz, names):
    """Write a file for every shape, in row groups of the usual size."""
    for shape, (per_row, _) in SHAPES.items():
        if shape.__name__ not in names:
            continue
        rng = np.random.default_rng(0)
        rows = nnz // per_row
        table = pa.table({"y": rng.integers(2, size=rows).astype(float), **shape(rng, rows)})
        if shape is tfrecord:
            write_records(table, folder / "tfrecord.tfrecord")
        else:
            pq.write_table(table, folder / f"{shape.__name__}.parquet")


def write_records(table, path):
    """Write TFRecords, and say how fast."""
    from gdmix.data.formats.tfrecord import TFRecord

    for rows in (table.slice(0, 1000), table):  # the first loads the kernels
        start = time.process_time()
        with TFRecord().open_writer(path, rows.schema) as writer:
            for batch in rows.to_batches(max_chunksize=1 << 16):
                writer.write(batch)
        cpu = time.process_time() - start
    speed = f"{len(table) / cpu:,.0f} rows/s, {path.stat().st_size / cpu / 1e6:.0f} MB/s"
    print(f"writing TFRecords on one core: {speed}")


def memory(what):
    """Return what Linux knows of this process, in bytes: VmRSS is now, VmHWM the peak."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split(f"{what}:")[1].split()[0])


def forget_peak():
    """Let the peak begin again, and return the memory held now."""
    pa.default_memory_pool().release_unused()
    Path("/proc/self/clear_refs").write_text("5")
    return memory("VmRSS")


def measure(path, features, rounds):
    """Read a file; print what it cost as JSON."""
    from gdmix.config import ModelOptions
    from gdmix.data.reading import read
    from gdmix.data.source import open_source

    options = ModelOptions(label="y", coordinates={"global": {"features": features}})
    if path.suffix == ".parquet":
        head = next(pq.ParquetFile(path, pre_buffer=False).iter_batches(9))
        read(open_source(head), options.layout())  # loads the kernels
        del head
    else:
        read(open_source(path), options.layout())
    before = forget_peak()
    found = {"cpu": [], "wall": []}
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        rows, indexes = read(open_source(path), options.layout())
        found["wall"].append(time.perf_counter() - wall)
        found["cpu"].append(time.process_time() - cpu)
        csr = next(iter(rows.shards.values()))
        found["nnz"] = len(csr.indices)
        found["bytes"] = csr.indptr.nbytes + csr.indices.nbytes + csr.values.nbytes
        found["features"] = len(next(iter(indexes.values())))
        if "peak" not in found:
            found["peak"] = memory("VmHWM") - before
        del rows, csr, indexes
    print(json.dumps(found))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nnz", type=int, default=6_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="shapes")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    shapes = {shape.__name__: features for shape, (_, features) in SHAPES.items()}
    if options.measure is not None:
        measure(options.measure, shapes[options.measure.stem], options.rounds)
        return
    names = options.only or list(shapes)
    columns = f"{'million/s/core':>15} {'MB/s/core':>10} {'peak / CSR':>11}"
    with tempfile.TemporaryDirectory() as scratch:
        write(Path(scratch), options.nnz, names)
        print(f"{'shape':10} {'values':>12} {'features':>9} {columns}")
        for name in names:
            (path,) = Path(scratch).glob(f"{name}.*")
            again = ["--rounds", str(options.rounds), "--measure", str(path)]
            child = subprocess.run(
                [sys.executable, __file__, *again], check=True, stdout=subprocess.PIPE
            )
            found = json.loads(child.stdout)
            speed = found["nnz"] / median(found["cpu"]) / 1e6
            bytes_speed = path.stat().st_size / median(found["cpu"]) / 1e6
            print(
                f"{name:10} {found['nnz']:12,} {found['features']:9,} {speed:15.1f} "
                f"{bytes_speed:10.0f} "
                f"{found['peak'] / found['bytes']:11.2f}"
            )


if __name__ == "__main__":
    main()
