"""lme4's fits are L2-regularized GLMs at known weights: we must reproduce them.

So it is with nAGQ=0 fits, and with linear models, where the weight is ``sigma^2 / sd^2``. Of
Laplace's fits, whose fixed effects are those of an integral, we reproduce the conditional modes.
"""

import csv
import gzip
import json

import numpy as np
import pyarrow as pa
import pytest

from gdmix import Feature, FixedEffect, MixedModel, RandomEffect
from gdmix.inspection import fixed_coefficients


def read_csv(path):
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def cbpp(rows):
    """One row a trial."""
    trials = [
        (1.0 if i < int(row["incidence"]) else 0.0, row["period"], row["herd"])
        for row in rows
        for i in range(int(row["size"]))
    ]
    label, period, herd = zip(*trials, strict=True)
    return {"y": label, "herd": herd} | dummies("period", period, base="1")


def contraception(rows):
    age = [float(row["age"]) for row in rows]
    return {
        "y": [float(row["use"] == "Y") for row in rows],
        "district": [row["district"] for row in rows],
        "age": age,
        "I(age^2)": [value * value for value in age],
        "urbanY": [float(row["urban"] == "Y") for row in rows],
    } | dummies("livch", [row["livch"] for row in rows], base="0")


def bacteria(rows):
    return {
        "y": [float(row["y"] == "y") for row in rows],
        "ID": [row["ID"] for row in rows],
        "I(week > 2)TRUE": [float(int(row["week"]) > 2) for row in rows],
    } | dummies("trt", [row["trt"] for row in rows], base="placebo")


def salamander(rows):
    return {
        "y": [float(row["Mate"]) for row in rows],
        "fm": [row["Female"] for row in rows],
        "mm": [row["Male"] for row in rows],
    } | dummies("Cross", [row["Cross"] for row in rows], base="RR")


def dummies(name, values, base):
    levels = sorted(set(values) - {base})
    return {name + level: [float(v == level) for v in values] for level in levels}


def grouseticks(rows):
    return {
        "y": [float(row["TICKS"]) for row in rows],
        "cHEIGHT": [float(row["cHEIGHT"]) for row in rows],
        "BROOD": [row["BROOD"] for row in rows],
        "LOCATION": [row["LOCATION"] for row in rows],
    } | dummies("YEAR", [row["YEAR"] for row in rows], base="95")


def epil(rows):
    lbase = [float(row["lbase"]) for row in rows]
    treated = [float(row["trt"] == "progabide") for row in rows]
    return {
        "y": [float(row["y"]) for row in rows],
        "subject": [row["subject"] for row in rows],
        "lbase": lbase,
        "trtprogabide": treated,
        "lage": [float(row["lage"]) for row in rows],
        "V4": [float(row["V4"]) for row in rows],
        "lbase:trtprogabide": [a * b for a, b in zip(lbase, treated, strict=True)],
    }


def insteval(rows):
    return {
        "y": [float(row["y"]) for row in rows],
        "s": [row["s"] for row in rows],
        "d": [row["d"] for row in rows],
        "service1": [float(row["service"]) for row in rows],
    }


def insteval_departments(rows):
    table = insteval(rows)
    departments = dummies("dept", [row["dept"] for row in rows], base="1")
    both = {
        f"service1:{name}": [a * b for a, b in zip(table["service1"], column, strict=True)]
        for name, column in departments.items()
    }
    return table | departments | both


def chem97(rows):
    return {
        "y": [float(row["score"]) for row in rows],
        "school": [row["school"] for row in rows],
        "lea": [row["lea"] for row in rows],
        "gcsecnt": [float(row["gcsecnt"]) for row in rows],
    }


def penicillin(rows):
    return {
        "y": [float(row["diameter"]) for row in rows],
        "plate": [row["plate"] for row in rows],
        "sample": [row["sample"] for row in rows],
    }


def pastes(rows):
    return {
        "y": [float(row["strength"]) for row in rows],
        "sample": [row["sample"] for row in rows],
        "batch": [row["batch"] for row in rows],
    }


def dyestuff(rows):
    return {
        "y": [float(row["Yield"]) for row in rows],
        "Batch": [row["Batch"] for row in rows],
    }


CASES = {
    "cbpp_nagq0": ("logistic", "cbpp.csv", cbpp),
    "contraception_nagq0": ("logistic", "Contraception.csv", contraception),
    "bacteria_nagq0": ("logistic", "bacteria.csv", bacteria),
    "salamander_nagq0": ("logistic", "salamander.csv", salamander),
    "grouseticks_nagq0": ("poisson", "grouseticks.csv", grouseticks),
    "epil_nagq0": ("poisson", "epil.csv", epil),
    "insteval_ml_service": ("linear", "InstEval.csv", insteval),
    "chem97_ml": ("linear", "Chem97.csv", chem97),
    "insteval_ml_service_dept": ("linear", "InstEval.csv", insteval_departments),
    "penicillin_reml": ("linear", "Penicillin.csv", penicillin),
    "pastes_reml": ("linear", "Pastes.csv", pastes),
    "dyestuff_reml": ("linear", "Dyestuff.csv", dyestuff),
}
LAPLACE = [name.removesuffix("_nagq0") for name in CASES if name.endswith("_nagq0")]


ONCE = {"insteval_ml_service_dept"}  # twice the time tells nothing more


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [
        (name, optimizer)
        for name in CASES
        for optimizer in ("lbfgs", "tron")
        if optimizer == "lbfgs" or name not in ONCE
    ],
)
def test_fit_equals_lme4(name, optimizer, shared_data):
    folder = shared_data("mixed-models")
    task, file, prepare = CASES[name]
    golden = json.loads((folder / "fits" / "lme4" / f"{name}.json").read_text())
    table = prepare(read_csv(folder / file))
    features = [Feature(column) for column in table if column not in {"y", *golden["groups"]}]
    deviation = {item["group"]: item["sdcor"] for item in golden["varcomp"]}
    random = {
        group: RandomEffect(group, l2=(golden["sigma"] / deviation[group]) ** 2, tolerance=1e-12)
        for group in golden["groups"]
    }
    fixed = FixedEffect(features=features, l2=0.0, optimizer=optimizer, tolerance=1e-12)
    model = MixedModel(
        task=task,
        label="y",
        coordinates={"fixed": fixed} | random,
        sweeps=1000,
        sweep_tolerance=0.0,
    ).fit(table)
    assert model.history_[-1]["sweep"] < 1000

    learnt = model.model_
    found = dict(fixed_coefficients(learnt.parts["fixed"], learnt.index_of("fixed")))
    expected = {
        name.replace("(Intercept)", "(INTERCEPT)"): value for name, value in golden["fixef"].items()
    }
    assert found == pytest.approx(expected, abs=1e-5)
    check_modes(learnt, golden)


def check_modes(learnt, golden):
    # the fit of InstEval by department comes without them
    for group, expected in golden.get("conditional_modes", {}).items():
        part = learnt.parts[group]
        modes = dict(zip(part.table.ids.to_pylist(), part.split()[0].tolist(), strict=True))
        levels = dict(zip(expected["levels"], expected["(Intercept)"], strict=True))
        assert modes == pytest.approx(levels, abs=1e-5)


@pytest.mark.parametrize("name", LAPLACE)
def test_modes_beside_given_fixed_effects_equal_lme4s(name, shared_data):
    """Laplace's approximation is taken at the modes, given the fixed effects: an offset."""
    folder = shared_data("mixed-models")
    task, file, prepare = CASES[f"{name}_nagq0"]
    golden = json.loads((folder / "fits" / "lme4" / f"{name}_laplace.json").read_text())
    table = prepare(read_csv(folder / file))
    ones = np.ones(len(table["y"]))
    offset = sum(
        value * np.array(table.get(column, ones), dtype=float)
        for column, value in golden["fixef"].items()
    )
    deviation = {item["group"]: item["sdcor"] for item in golden["varcomp"]}
    model = MixedModel(
        task=task,
        label="y",
        offset="fixed",
        coordinates={
            group: RandomEffect(group, l2=deviation[group] ** -2, tolerance=1e-12)
            for group in golden["groups"]
        },
        sweeps=1000,
        sweep_tolerance=0.0,
    ).fit({name: table[name] for name in ["y", *golden["groups"]]} | {"fixed": offset})
    assert model.history_[-1]["sweep"] < 1000
    check_modes(model.model_, golden)


@pytest.mark.parametrize("name", ["sleepstudy_ml", "sleepstudy_reml"])
def test_slopes_that_go_with_their_intercepts(name, shared_data):
    """``(Days | Subject)``: features rotated by the covariance's root have a plain ridge."""
    folder = shared_data("mixed-models")
    golden = json.loads((folder / "fits" / "lme4" / f"{name}.json").read_text())
    rows = read_csv(folder / "sleepstudy.csv")
    days = np.array([float(row["Days"]) for row in rows])
    first, second, both = (item["vcov"] for item in golden["varcomp"][:3])
    root = np.linalg.cholesky([[first, both], [both, second]])
    turned = np.column_stack([np.ones_like(days), days]) @ root
    random = RandomEffect(
        "Subject",
        features=["u0", "u1"],
        intercept=False,
        l2=golden["sigma"] ** 2,
        tolerance=1e-12,
    )
    model = MixedModel(
        task="linear",
        label="Reaction",
        coordinates={"fixed": FixedEffect(features=["Days"], l2=0.0, tolerance=1e-12)}
        | {"random": random},
        sweeps=2000,
        sweep_tolerance=0.0,
    ).fit(
        {
            "Reaction": [float(row["Reaction"]) for row in rows],
            "Subject": [row["Subject"] for row in rows],
            "Days": days,
            "u0": turned[:, 0],
            "u1": turned[:, 1],
        }
    )
    assert model.history_[-1]["sweep"] < 2000
    learnt = model.model_
    found = dict(fixed_coefficients(learnt.parts["fixed"], learnt.index_of("fixed")))
    assert found["(INTERCEPT)"] == pytest.approx(golden["fixef"]["(Intercept)"], abs=1e-5)
    assert found["Days"] == pytest.approx(golden["fixef"]["Days"], abs=1e-5)
    table = learnt.parts["random"].table
    modes = table.coefficients.reshape(-1, 2) @ root.T
    expected = golden["conditional_modes"]["Subject"]
    assert table.ids.to_pylist() == expected["levels"]
    np.testing.assert_allclose(modes[:, 0], expected["(Intercept)"], atol=1e-5)
    np.testing.assert_allclose(modes[:, 1], expected["Days"], atol=1e-5)


def test_million_ratings_equal_the_published_mixed_model(shared_data):
    """``y ~ 1 + (1 | user) + (1 | movie)`` on MovieLens-1M: 9,746 conditional modes."""
    fits = shared_data("mixed-models") / "fits"
    golden = json.loads((fits / "ml1m_ml_numpy.json").read_text())
    with gzip.open(shared_data("ml-1m") / "ratings_no_timestamp.dat.gz", "rt") as stream:
        user, movie, rating = np.loadtxt(
            (line.replace("::", " ") for line in stream), dtype=np.int64
        ).T
    random = {
        item["group"]: RandomEffect(
            item["group"], l2=golden["sigma"] ** 2 / item["vcov"], tolerance=1e-10
        )
        for item in golden["varcomp"]
    }
    model = MixedModel(
        task="linear",
        label="y",
        coordinates={"fixed": FixedEffect(tolerance=1e-10)} | random,
        sweeps=300,
        sweep_tolerance=1e-15,
    ).fit(pa.table({"user": user, "movie": movie, "y": rating}))
    assert model.history_[-1]["sweep"] < 300
    learnt = model.model_.parts
    assert learnt["fixed"].coefficients[0] == pytest.approx(
        golden["fixef"]["(Intercept)"], abs=1e-6
    )
    for group, expected in golden["conditional_modes"].items():
        levels = np.array(expected["levels"], dtype=np.int64)
        assert learnt[group].table.ids.to_pylist() == sorted(levels.tolist())
        modes = np.array(expected["(Intercept)"])[np.argsort(levels)]
        assert learnt[group].split()[0] == pytest.approx(modes, abs=1e-6)
