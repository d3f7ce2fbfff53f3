"""`Report`: what became of each option of somebody else's configuration."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Report:
    """What was mapped, what has no meaning here and why, and what to know besides.

    Attributes
    ----------
    source : str
        What was read: a file, or a command line.
    mapped : list of (str, str)
        Their option, and ours with its value.
    ignored : list of (str, str)
        Their option, and why nothing here stands for it.
    notes : list of str
        Where the outcome differs from theirs, or was decided by what is there.
    """

    source: str
    mapped: list[tuple[str, str]] = field(default_factory=list)
    ignored: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def maps(self, theirs: str, ours: str) -> None:
        """Record an option that has a counterpart."""
        self.mapped.append((theirs, ours))

    def ignores(self, theirs: str, why: str) -> None:
        """Record an option without a counterpart."""
        self.ignored.append((theirs, why))

    def note(self, text: str) -> None:
        """Record what else is to be known; the same note stands once."""
        if text not in self.notes:
            self.notes.append(text)

    def summary(self) -> list[str]:
        """Return the notes, and one that names all options without meaning here."""
        lines = list(self.notes)
        if self.ignored:
            # an option of several coordinates is named once
            names = dict.fromkeys(_last(name) for name, _ in self.ignored)
            lines.append(f"without a meaning here, and passed over: {', '.join(names)}")
        return lines

    def text(self) -> str:
        """Return the whole report, a line for every option."""
        width = max((len(name) for name, _ in [*self.mapped, *self.ignored]), default=0)
        parts = [f"From {self.source}", "", "mapped"]
        parts += [f"  {theirs:<{width}}  {ours}" for theirs, ours in self.mapped]
        if self.ignored:
            parts += ["", "without a counterpart"]
            parts += [f"  {theirs:<{width}}  {why}" for theirs, why in self.ignored]
        if self.notes:
            parts += ["", "to know", *(f"  {note}" for note in self.notes)]
        return "\n".join(parts) + "\n"


def _last(name: str) -> str:
    """Return the last part of ``random_effect_config.per-user.x``, or of ``--x per-user: x.y``."""
    return name.rpartition(": ")[2] if name.startswith("--") else name.rpartition(".")[2]
