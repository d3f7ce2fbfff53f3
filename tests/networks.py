"""Small networks, their rows and batches, for tests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from gdmix.data.dataset import Csr
from gdmix.deep.bags import Bag
from gdmix.deep.batch import Batch
from gdmix.deep.beginning import beginning, tokens_for
from gdmix.deep.examples import Examples
from gdmix.deep.network import DeepNetwork
from gdmix.deep.options import Network, TextEncoder
from gdmix.deep.target import Target
from gdmix.deep.trained import Trained
from gdmix.deep.vocabulary import Tokens

TEXTS = [
    "red shoes",
    "a",
    "",
    "blue running shoes for men and women and children",
    "red hat, blue hat",
    None,
    "zebra shoes!",
]


def csr(lists: Sequence[dict[int, float]], width: int) -> Csr:
    indptr = np.cumsum([0, *map(len, lists)]).astype(np.int64)
    indices = np.array([index for row in lists for index in row], np.int32)
    values = np.array([value for row in lists for value in row.values()], np.float64)
    return Csr(indptr, indices, values, width)


def examples(seed: int = 0) -> Examples:
    """As many rows as texts, with all that a network may read; some of it absent."""
    rng = np.random.default_rng(seed)
    rows = len(TEXTS)
    dense = rng.normal(3.0, 2.0, (rows, 2)).astype(np.float32)
    dense[1, 0] = np.nan
    texts = {
        name: pa.array(TEXTS[shift:] + TEXTS[:shift], pa.string())
        for shift, name in enumerate(("query", "user", "title", "body"))
    }
    member = csr([{i % 3: 1.0} if i != 2 else {} for i in range(rows)], 3)
    tags = csr([{0: 1.0, 3: 2.0}, {}, {2: -1.5}, {1: 1.0}, {0: 0.5}, {}, {3: 1.0, 1: 1.0}], 4)
    wide = csr([{i % 5: 1.0, 5: 0.25 * i} for i in range(rows)], 6)
    return Examples(
        label=(rng.random(rows) < 0.5).astype(np.float64),
        weight=np.ones(rows),
        offset=np.zeros(rows),
        wide=wide,
        dense=dense,
        texts=texts,
        fields={"member": member, "tags": tags},
        task=(np.arange(rows) % 2).astype(np.int32),
    )


def everything(**changes: Any) -> Network:
    """Options of a network that reads all of `examples`."""
    given: dict[str, Any] = {
        "query": "query",
        "user_texts": ["user"],
        "document_texts": ["title", "body"],
        "user_ids": ["member"],
        "document_ids": ["tags"],
        "dense": ["numbers"],
        "embedded": ["tags", "member"],
        "embedding_size": 2,
        "id_units": 5,
        "hidden": (6, 4),
        "encoder": encoder(),
    }
    return Network(**given | changes)


def encoder(**changes: Any) -> TextEncoder:
    given: dict[str, Any] = {"units": 8, "filters": 4, "windows": (2, 3), "max_length": 12}
    return TextEncoder(**given | changes)


def batch(
    rows: Examples, tokens: Tokens | None, chosen: Sequence[int] | None = None, more: int = 0
) -> Batch:
    """Make a batch of some rows, texts padded to the longest and `more`, a row at a time."""
    chosen = list(range(rows.rows)) if chosen is None else list(chosen)
    texts = {}
    if tokens is not None:
        for name, column in rows.texts.items():
            found = tokens.encode(column)
            lists = [found.ids[found.offsets[i] : found.offsets[i + 1]] for i in chosen]
            length = max(map(len, lists)) + more
            filled = [list(ids) + [tokens.pad] * (length - len(ids)) for ids in lists]
            sizes = torch.tensor([len(ids) for ids in lists])
            texts[name] = (torch.tensor(filled, dtype=torch.int64), sizes)
    task = None if rows.task is None else torch.tensor(rows.task[chosen].astype(np.int64))
    return Batch(
        texts,
        bag(rows.wide, chosen),
        torch.from_numpy(rows.dense[chosen]),
        {name: bag(column, chosen) for name, column in rows.fields.items()},
        task,
    )


def bag(rows: Csr, chosen: Sequence[int]) -> Bag:
    indices: list[int] = []
    values: list[float] = []
    offsets: list[int] = []
    for row in chosen:
        part = slice(rows.indptr[row], rows.indptr[row + 1])
        offsets.append(len(indices))
        indices += rows.indices[part].tolist()
        values += rows.values[part].tolist()
    numbers = torch.tensor(indices, dtype=torch.int64), torch.tensor(offsets, dtype=torch.int64)
    return Bag(*numbers, torch.tensor(values, dtype=torch.float32))


def dense_of(rows: Csr) -> NDArray[np.float64]:
    full = np.zeros((len(rows.indptr) - 1, rows.width))
    for row in range(len(full)):
        for place in range(rows.indptr[row], rows.indptr[row + 1]):
            full[row, rows.indices[place]] += rows.values[place]
    return full


def made(
    network: Network, target: Target | None = None, seed: int = 0
) -> tuple[DeepNetwork, Trained, Examples]:
    """Return a network with drawn weights, in all places, as training would leave it."""
    rows, target = examples(), Target() if target is None else target
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    tokens = tokens_for(network, rows.texts.values())
    built, shape = beginning(network, target, rows, tokens)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    trained = Trained(shape, target, tokens, dict(built.state_dict()), {"steps": 3})
    return built.eval(), trained, rows


def small_transformer(folder: Path, known: Sequence[str] = ()) -> Path:
    """Write a tiny BERT with new weights and a tokenizer of word pieces, and of known words."""
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "blue", "shoe", "##s", "hat", "a"]
    words += known
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(words))
    backend = BertWordPieceTokenizer(str(folder / "vocab.txt"))
    BertTokenizerFast(tokenizer_object=backend._tokenizer, model_max_length=16).save_pretrained(
        folder
    )
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
    )
    torch.manual_seed(7)
    BertModel(config).save_pretrained(folder)
    return folder
