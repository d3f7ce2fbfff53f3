"""Losses of the deep effect, asked with plain numbers."""

import numpy as np
import torch

from gdmix.deep.losses import loss_of

GROUPS = ("pairwise", "listwise", "lambdarank", "approx_ndcg")


def tensor(values):
    return torch.as_tensor(np.asarray(values), dtype=torch.float64)


def total(target, score, label, weight=None, offset=None, pointers=None, head=None):
    score = tensor(score)
    score = score[:, None] if score.ndim == 1 else score
    weight = np.ones(len(score)) if weight is None else weight
    offset = np.zeros(len(score)) if offset is None else offset
    pointers = None if pointers is None else torch.as_tensor(np.asarray(pointers))
    head = None if head is None else torch.as_tensor(np.asarray(head))
    return loss_of(target)(score, tensor(label), tensor(weight), tensor(offset), pointers, head)
