"""What is saved is read back to the bit, or refused."""

import json
import pickle
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gdmix.deep.beginning import rebuilt
from gdmix.deep.options import Network
from gdmix.deep.saving import load, save
from gdmix.deep.target import Target
from gdmix.errors import ConfigError, DataError, ModelError
from tests.networks import batch, encoder, everything, made, small_transformer

FILES = ["config.json", "model.safetensors", "tokenizer.json"]
OPTIONS = [
    everything(),
    everything(encoder=encoder(kind="lstm", bidirectional=True), within="mean"),
    Network(dense=["numbers"]),
]


@pytest.mark.parametrize("place", range(len(OPTIONS)))
def test_scores_are_the_same_bits(tmp_path: Path, place: int) -> None:
    target = Target("multiclass", outputs=3, heads=2, head_weights=(0.5, 2.0))
    network, trained, rows = made(OPTIONS[place], target)
    save(tmp_path, trained)
    drawn = torch.random.get_rng_state()
    again = load(tmp_path)
    built = rebuilt(again)
    assert torch.equal(torch.random.get_rng_state(), drawn)
    assert again.shape == trained.shape
    assert again.target == target
    assert again.summary == {"steps": 3}
    assert (again.tokens is None) == (trained.tokens is None)
    given = batch(rows, again.tokens)
    assert torch.equal(built(given), network(batch(rows, trained.tokens)))
    assert torch.equal(built.represent(given), network.represent(given))


def test_a_transformer_needs_no_folder_of_its_own_any_more(tmp_path: Path) -> None:
    folder = small_transformer(tmp_path / "bert")
    options = encoder(kind="transformer", model=str(folder))
    network, trained, rows = made(everything(encoder=options))
    save(tmp_path / "saved", trained)
    shutil.rmtree(folder)
    again = load(tmp_path / "saved")
    given = batch(rows, again.tokens)
    assert torch.equal(rebuilt(again)(given), network(given))


def test_a_transformer_begins_from_its_weights(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    from gdmix.deep.beginning import beginning, tokens_for
    from tests.networks import examples

    folder = small_transformer(tmp_path / "bert")
    options = everything(encoder=encoder(kind="transformer", model=str(folder)))
    tokens = tokens_for(options, [])
    network, _ = beginning(options, Target(), examples(), tokens)
    held = load_file(folder / "model.safetensors")
    found = network.sides.texts.encoders[0].model.state_dict()
    for name, weight in found.items():
        assert torch.equal(weight, held[name])
    (folder / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{broken}")
    with pytest.raises(ConfigError, match=r"encoder\.model.*cannot be read"):
        beginning(options, Target(), examples(), tokens)


def test_word_vectors_are_where_a_network_begins(tmp_path: Path) -> None:
    from gdmix.deep.beginning import beginning, tokens_for
    from tests.networks import examples

    file, rows = tmp_path / "vectors.txt", examples()
    file.write_text("red " + " ".join(["0.5"] * 8) + "\n[PAD] " + " ".join(["1"] * 8) + "\n")
    options = everything(encoder=encoder(word_vectors=str(file)))
    tokens = tokens_for(options, rows.texts.values())
    network, _ = beginning(options, Target(), rows, tokens)
    vectors = network.sides.texts.embedding.weight.detach()
    assert (vectors[tokens.words().index("red")] == 0.5).all()
    assert (vectors[tokens.words().index("blue")] != 0.0).all()
    assert (vectors[tokens.pad] == 0.0).all()
    file.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        beginning(options, Target(), rows, tokens)


def test_tensors_that_share_memory_are_saved_each_alone(tmp_path: Path) -> None:
    _, trained, _ = made(Network(dense=["numbers"]))
    shared = dict(trained.state)
    shared["dense.bias"] = shared["dense.factor"]
    save(tmp_path, trained._replace(state=shared))
    assert torch.equal(load(tmp_path).state["dense.bias"], shared["dense.factor"])


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    save(folder, made(everything())[1])
    return folder


@pytest.mark.parametrize("name", FILES)
def test_damage_is_told(saved: Path, tmp_path: Path, name: str) -> None:
    held = (saved / name).read_bytes()
    shutil.copytree(saved, tmp_path, dirs_exist_ok=True)
    draw = random.Random(0)
    for _ in range(25):
        place, bit = draw.randrange(len(held)), 1 << draw.randrange(8)
        changed = bytearray(held)
        changed[place] ^= bit
        cut = held[: draw.randrange(len(held))]
        for damaged in (bytes(changed), cut, b""):
            (tmp_path / name).write_bytes(damaged)
            if name == "config.json" and _alike(damaged, held):
                continue
            with pytest.raises(ModelError, match=name):
                load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ModelError, match=f"{name}: cannot be read"):
        load(tmp_path)


def _alike(damaged: bytes, held: bytes) -> bool:
    """Whether only white space differs."""
    try:
        return bool(json.loads(damaged) == json.loads(held))
    except ValueError:
        return False


def _forge(folder: Path, change: Callable[[dict], None]) -> None:
    """Change a config together with its checksum."""
    from gdmix.deep import saving

    config = json.loads((folder / "config.json").read_text())
    del config["checksum"]
    change(config)
    config["checksum"] = saving._checksum_of(config)
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda c: c.update(format="bert"), "is of another program"),
        (lambda c: c.update(version=2), "is of version 2"),
        (lambda c: c["shape"].update(vocabulary=10**12), r"embedding\.weight is \(\d+, 8\)"),
        (lambda c: c["shape"].update(wide=-1), "does not describe a network"),
        (lambda c: c["shape"].update(wide=10**15), r"wide\.weight is \(6, 1\)"),
        (lambda c: c["shape"].update(heads=2), "is missing"),
        (lambda c: c["shape"].update(deviation=[0.0, 1.0]), "does not describe a network"),
        (lambda c: c["shape"].update(fields={}), "does not describe a network"),
        (lambda c: c["shape"]["network"].update(hidden="x"), "does not describe a network"),
        (lambda c: c["shape"].pop("pad"), "does not describe a network"),
        (lambda c: c["shape"].update(pad=10**6), "does not describe a network"),
        (lambda c: c.update(target=[]), "does not describe a network"),
        (lambda c: c.pop("summary"), "does not describe a network"),
    ],
)
def test_foreign_configs(
    saved: Path, tmp_path: Path, change: Callable[[dict], None], problem: str
) -> None:
    shutil.copytree(saved, tmp_path, dirs_exist_ok=True)
    _forge(tmp_path, change)
    with pytest.raises(ModelError, match=problem):
        load(tmp_path)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json: cannot be read"):
        load(tmp_path / "absent")


def test_a_trained_network_is_pickled() -> None:
    network, trained, rows = made(everything())
    again = pickle.loads(pickle.dumps(trained))
    given = batch(rows, again.tokens)
    assert torch.equal(rebuilt(again)(given), network(given))
