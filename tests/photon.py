"""Photon-ML's command lines, for tests."""

from pathlib import Path

INPUT = "photon-client/src/integTest/resources/DriverIntegTest/input"
GAME = "photon-client/src/integTest/resources/GameIntegTest"

GLOBAL = (
    "name=global,feature.shard=shard1,min.partitions=2,optimizer=TRON,max.iter=10,"
    "tolerance=1.0E-5,regularization=L2,reg.weights=10"
)


def per(entity, shard, **more):
    """A random effect, as in Photon-ML's integration tests."""
    tail = "".join(f",{key.replace('_', '.')}={value}" for key, value in more.items())
    return (
        f"name=per-{entity},random.effect.type={entity}Id,feature.shard={shard},min.partitions=2,"
        f"optimizer=TRON,max.iter=10,tolerance=1.0E-5,regularization=L2,reg.weights=1{tail}"
    )


def words(given):
    """Parameters as a command line; a list of values repeats its parameter."""
    line = []
    for name, value in given.items():
        for item in value if isinstance(value, list) else [value]:
            line += [f"--{name}", f"'{item}'"]
    return " ".join(line)


def training(train, root, **more):
    """The parameters of a job with one fixed effect; None takes one out."""
    given = {
        "input-data-directories": train,
        "root-output-directory": root,
        "training-task": "LOGISTIC_REGRESSION",
        "feature-shard-configurations": "name=shard1,feature.bags=features",
        "coordinate-configurations": GLOBAL,
        "coordinate-update-sequence": "global",
        "coordinate-descent-iterations": 1,
    }
    given |= {name.replace("_", "-"): value for name, value in more.items()}
    return {name: value for name, value in given.items() if value is not None}


def inputs(shared_data):
    """The folder of Photon-ML's data."""
    return Path(shared_data("photon-ml")) / INPUT
