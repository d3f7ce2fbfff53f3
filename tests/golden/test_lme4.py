"""lme4's nAGQ=0 fits are L2-regularized GLMs at a known weight: we must reproduce them."""

import csv
import json

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


def grouseticks(rows):
    return {
        "y": [float(row["TICKS"]) for row in rows],
        "BROOD": [row["BROOD"] for row in rows],
        "LOCATION": [row["LOCATION"] for row in rows],
        "cHEIGHT": [float(row["cHEIGHT"]) for row in rows],
    } | dummies("YEAR", [row["YEAR"] for row in rows], base="95")


def epil(rows):
    treated = [float(row["trt"] == "progabide") for row in rows]
    base = [float(row["lbase"]) for row in rows]
    return {
        "y": [float(row["y"]) for row in rows],
        "subject": [row["subject"] for row in rows],
        "lbase": base,
        "trtprogabide": treated,
        "lage": [float(row["lage"]) for row in rows],
        "V4": [float(row["V4"]) for row in rows],
        "lbase:trtprogabide": [a * b for a, b in zip(base, treated, strict=True)],
    }


def dummies(name, values, base):
    levels = sorted(set(values) - {base})
    return {name + level: [float(v == level) for v in values] for level in levels}


CASES = {
    "cbpp": ("cbpp.csv", cbpp),
    "contraception": ("Contraception.csv", contraception),
    "bacteria": ("bacteria.csv", bacteria),
    "salamander": ("salamander.csv", salamander),
    "grouseticks": ("grouseticks.csv", grouseticks),
    "epil": ("epil.csv", epil),
}


@pytest.mark.parametrize("optimizer", ["lbfgs", "tron"])
@pytest.mark.parametrize("name", CASES)
def test_fit_equals_lme4(name, optimizer, shared_data):
    folder = shared_data("mixed-models")
    file, prepare = CASES[name]
    golden = json.loads((folder / "fits" / "lme4" / f"{name}_nagq0.json").read_text())
    table = prepare(read_csv(folder / file))
    features = [Feature(column) for column in table if column not in {"y", *golden["groups"]}]
    deviation = {item["group"]: item["sdcor"] for item in golden["varcomp"]}
    random = {
        group: RandomEffect(group, l2=1.0 / deviation[group] ** 2, tolerance=1e-12)
        for group in golden["groups"]
    }
    fixed = FixedEffect(features=features, l2=0.0, optimizer=optimizer, tolerance=1e-12)
    model = MixedModel(
        label="y",
        task="poisson" if golden["family"] == "poisson/log" else "logistic",
        coordinates={"fixed": fixed} | random,
        # broods are nested in locations: to tell them apart takes over 800 sweeps
        sweeps=1000,
        sweep_tolerance=0.0,
    ).fit(table)

    learnt = model.model_
    found = dict(fixed_coefficients(learnt.parts["fixed"], learnt.index_of("fixed")))
    expected = {
        name.replace("(Intercept)", "(INTERCEPT)"): value for name, value in golden["fixef"].items()
    }
    assert found == pytest.approx(expected, abs=1e-5)
    for group in golden["groups"]:
        part = learnt.parts[group]
        modes = dict(zip(part.table.ids.to_pylist(), part.split()[0].tolist(), strict=True))
        expected = golden["conditional_modes"][group]
        levels = dict(zip(expected["levels"], expected["(Intercept)"], strict=True))
        assert modes == pytest.approx(levels, abs=1e-5)
