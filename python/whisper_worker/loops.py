"""Does a text go in circles? Looks at token ids only. Pure.

A model that is stuck says the same few tokens until its limit, which costs as much as many good
windows. People repeat themselves as well, so only a length that nobody says by habit counts.
"""

from __future__ import annotations

from collections.abc import Sequence

# "nej nej nej nej", "ja ja ja", "20 20 20 20", a refrain sung three times: all are below both.
MIN_REPEATS = 4
MIN_LOOP_TOKENS = 32
# While decoding, only short circles are looked for; a long one costs little more than it says.
MAX_PERIOD = 24


def is_looping(tokens: Sequence[int]) -> bool:
    """Whether the end of `tokens` has been repeating itself. Cheap: asked for every row."""
    if len(tokens) < MIN_LOOP_TOKENS:
        return False
    # Nearly always the last token does not occur in the tokens before it, and this is all.
    recent = tokens[-2 : -2 - MAX_PERIOD : -1]
    last = tokens[-1]
    if last not in recent:
        return False
    return any(
        token == last and _repeats(tokens, period, _loop_length(period))
        for period, token in enumerate(recent, start=1)
    )


def _loop_length(period: int) -> int:
    return max(MIN_LOOP_TOKENS, MIN_REPEATS * period)


def _repeats(tokens: Sequence[int], period: int, length: int) -> bool:
    if len(tokens) < length:
        return False
    return tokens[-length:-period] == tokens[len(tokens) - length + period :]


def loop_start(tokens: Sequence[int]) -> int | None:
    """Where the third occurrence begins of what the end of `tokens` repeats, of any length.

    The first two stay: that much people do say. None when the end is not a loop. One token may be
    missing: a text that is stopped loses the one that was not read any more.
    """
    for period in range(1, (len(tokens) + 1) // MIN_REPEATS + 1):
        if _repeats(tokens, period, _loop_length(period) - 1):
            return _first_of_run(tokens, period) + 2 * period
    return None


def _first_of_run(tokens: Sequence[int], period: int) -> int:
    first = len(tokens) - period
    while first > 0 and tokens[first - 1] == tokens[first - 1 + period]:
        first -= 1
    return first
