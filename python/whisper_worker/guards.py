"""The numbers that tell speech from hallucination, with OpenAI's definitions and thresholds.

Source: openai/whisper, decoding.py and transcribe.py.
"""

from __future__ import annotations

import zlib

from whisper_worker.speech_model import Decoded

# OpenAI's ladder has six rungs up to 1.0. Three rescue nearly all that can be rescued and
# bound what noise may cost.
FALLBACK_TEMPERATURES = (0.0, 0.4, 0.8)
MAX_COMPRESSION_RATIO = 2.4
MIN_AVG_LOGPROB = -1.0
MAX_NO_SPEECH_PROB = 0.6


def temperature_ladder(temperature: float) -> tuple[float, ...]:
    """0 means "the surest, and try again when that fails"; anything else is an order."""
    return FALLBACK_TEMPERATURES if temperature == 0 else (temperature,)


def compression_ratio(text: str) -> float:
    """Bytes of text per byte of zlib: a loop compresses well. (transformers' counts token ids.)"""
    encoded = text.encode()
    return len(encoded) / len(zlib.compress(encoded))


def is_silence(decoded: Decoded) -> bool:
    """The model itself doubts that anybody spoke, and is unsure of the words."""
    return decoded.no_speech_prob > MAX_NO_SPEECH_PROB and decoded.avg_logprob < MIN_AVG_LOGPROB


def needs_fallback(decoded: Decoded) -> bool:
    if is_silence(decoded):
        return False  # another temperature would only find other words in the noise
    is_loop = decoded.compression_ratio > MAX_COMPRESSION_RATIO
    return is_loop or decoded.avg_logprob < MIN_AVG_LOGPROB
