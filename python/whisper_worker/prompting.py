"""What the model is told before it listens: keywords, then the prompt. Pure.

It is given a way to make tokens of text, not a tokenizer, and how many the decoder reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

# Text → the tokens of it that are text: what spells a special token must not steer the decoder.
Encode: TypeAlias = Callable[[str], Sequence[int]]
# As `Encode` leaves nothing of them, a list would have holes.
_SPECIAL = re.compile(r"<\|.*?\|>")


def tell(prompt: str, keywords: Sequence[str], encode: Encode, room: int) -> tuple[int, ...]:
    """At most `room` tokens: " Åse, Søren. The end of the prompt".

    The prompt comes last, because what stands next to the transcript counts most, and is cut at
    its front; of the keywords, in their order, those that fit whole are told. Each of the two may
    fill half of the room, and what the other leaves.
    """
    told = _encode_prompt(prompt, encode)
    listed = _list_keywords(keywords, encode, max(room // 2, room - len(told)))
    left = room - len(listed)
    return (*listed, *told[max(0, len(told) - left) :])


def _encode_prompt(prompt: str, encode: Encode) -> Sequence[int]:
    return encode(f" {prompt.strip()}") if prompt.strip() else ()


def _list_keywords(keywords: Sequence[str], encode: Encode, room: int) -> list[int]:
    """As many of the keywords as fit, in their order, as one sentence."""
    full_stop = encode(".")
    listed: list[int] = []
    left = room - len(full_stop)
    for keyword in keywords:
        if left < 1:
            break
        written = " ".join(_SPECIAL.sub(" ", keyword).split())
        if not written:
            continue
        piece = encode(f", {written}" if listed else f" {written}")
        if len(piece) <= left:
            listed += piece
            left -= len(piece)
    return [*listed, *full_stop] if listed else []
