"""What may be said of a window's text while it is still being decoded. Pure.

What has been said cannot be taken back, so nothing is said before the text looks as if it will
pass its checks; then whole words, because the next token may finish a word.
"""

from __future__ import annotations

import codecs

from whisper_worker.guards import MAX_NO_SPEECH_PROB, MIN_AVG_LOGPROB
from whisper_worker.speech_model import DecodeRow
from whisper_worker.tokens import LANGUAGES_WITHOUT_SPACES, TokenBytes

# A text that is this sure after this many tokens hardly ever fails at its end.
_TOKENS_BEFORE_SPEAKING = 8
_SURE_AVG_LOGPROB = MIN_AVG_LOGPROB * 0.7


class StreamingText:
    """One attempt at one window."""

    def __init__(self, row: DecodeRow, token_bytes: TokenBytes) -> None:
        self.has_spoken = False
        self._token_bytes = token_bytes
        self._has_spaces = row.language not in LANGUAGES_WITHOUT_SPACES
        self._may_be_repeated = len(row.ladder) > 1
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._unsaid = ""
        self._tokens = 0
        self._sum_logprob = 0.0

    def hear(self, token: int, logprob: float, no_speech_prob: float) -> str:
        """One more token; answers the text that can be said now, which is mostly none."""
        self._tokens += 1
        self._sum_logprob += logprob
        self._unsaid += self._decoder.decode(self._token_bytes[token])
        if not self.has_spoken and not self._is_sure(no_speech_prob):
            return ""
        whole = len(self._unsaid) if not self._has_spaces else self._unsaid.rfind(" ")
        if whole <= 0:
            return ""
        said, self._unsaid = self._unsaid[:whole], self._unsaid[whole:]
        self.has_spoken = True
        return said

    def _is_sure(self, no_speech_prob: float) -> bool:
        if not self._may_be_repeated:
            return True
        if self._tokens < _TOKENS_BEFORE_SPEAKING or no_speech_prob > MAX_NO_SPEECH_PROB:
            return False
        return self._sum_logprob / self._tokens > _SURE_AVG_LOGPROB
