"""Markdown made of values: tables, and text of which none is markup."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Collection[int] = ()) -> str:
    """A table as GitHub and the Hugging Face Hub show it; cells are Markdown already.

    The columns of `numbers` end at their right.
    """
    rule = ["---:" if index in numbers else "---" for index in range(len(head))]
    lines = [head, rule, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def listed(values: Iterable[object]) -> str:
    """(1, 2, 3); one value alone stands without brackets."""
    texts = [f"{value:g}" if isinstance(value, float) else str(value) for value in values]
    return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"


def plain(text: str) -> str:
    """Text from elsewhere, such as a label, on one line: none of it is Markdown or HTML."""
    return re.sub(r"([\\`*_\[\]<>|#~&])", r"\\\1", " ".join(text.split()))
