"""How many tokens a window of the random-weight models gets: the same for everybody.

Imports nothing: the worker under test reads this file too.
"""

from __future__ import annotations

TOKENS_PER_SECOND = 4.5  # Danish, in OpenAI's vocabulary (engine.md §5)
PREFIX_TOKENS = 4  # start, language, task, no timestamps
_SAMPLE_RATE = 16_000


def scripted_tokens(samples: int) -> int:
    """New tokens after the prefix, for a window of that many samples."""
    return max(1, round(TOKENS_PER_SECOND * samples / _SAMPLE_RATE))
