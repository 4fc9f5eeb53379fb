"""Which cross-attention heads follow the audio, for the sizes OpenAI published. Only facts.

Decoded from `_ALIGNMENT_HEADS` in openai/whisper `__init__.py`. A fine-tune inherits the heads of
its parent, and its generation_config often lost them.
"""

from __future__ import annotations

from dataclasses import dataclass

Heads = tuple[tuple[int, int], ...]  # (decoder layer, head)

_ENGLISH_VOCABULARY = 51864
_V2_VOCABULARY = 51865
_V3_VOCABULARY = 51866


@dataclass(frozen=True)
class KnownHeads:
    name: str
    heads: Heads


def _heads(text: str) -> Heads:
    """ "7.0 10.17" is head 0 of layer 7 and head 17 of layer 10."""
    pairs = (pair.split(".") for pair in text.split())
    return tuple((int(layer), int(head)) for layer, head in pairs)


# (decoder layers, heads per layer, vocabulary) → the model of that shape. large-v1 has the shape of
# large-v2 and is taken for it: nobody fine-tunes it any more.
_KNOWN = {
    (4, 6, _ENGLISH_VOCABULARY): ("tiny.en", "1.0 2.0 2.5 3.0 3.1 3.2 3.3 3.4"),
    (4, 6, _V2_VOCABULARY): ("tiny", "2.2 3.0 3.2 3.3 3.4 3.5"),
    (6, 8, _ENGLISH_VOCABULARY): ("base.en", "3.3 4.7 5.1 5.5 5.7"),
    (6, 8, _V2_VOCABULARY): ("base", "3.1 4.2 4.3 4.7 5.1 5.2 5.4 5.6"),
    (12, 12, _ENGLISH_VOCABULARY): (
        "small.en",
        "6.6 7.0 7.3 7.8 8.2 8.5 8.7 9.0 9.4 9.8 9.10 10.0 10.1 10.2 10.3 10.6 10.11 11.2 11.4",
    ),
    (12, 12, _V2_VOCABULARY): ("small", "5.3 5.9 8.0 8.4 8.7 8.8 9.0 9.7 9.9 10.5"),
    (24, 16, _ENGLISH_VOCABULARY): (
        "medium.en",
        "11.4 14.1 14.12 14.14 15.4 16.0 16.4 16.9 17.12 17.14 18.7 18.10 18.15 20.0 20.3 20.9 "
        "20.14 21.12",
    ),
    (24, 16, _V2_VOCABULARY): ("medium", "13.15 15.4 15.15 16.1 20.0 23.4"),
    (32, 20, _V2_VOCABULARY): (
        "large-v2",
        "10.12 13.17 16.11 16.12 16.13 17.15 17.16 18.4 18.11 18.19 19.11 21.2 21.3 22.3 22.9 "
        "22.12 23.5 23.7 23.13 25.5 26.1 26.12 27.15",
    ),
    (32, 20, _V3_VOCABULARY): (
        "large-v3",
        "7.0 10.17 12.18 13.12 16.1 17.14 19.11 21.4 24.1 25.6",
    ),
    (4, 20, _V3_VOCABULARY): ("large-v3-turbo", "2.4 2.11 3.3 3.6 3.11 3.14"),
}


def known_heads(decoder_layers: int, heads_per_layer: int, vocabulary_size: int) -> KnownHeads:
    """The published heads of this shape; else OpenAI's default, every head of the upper half."""
    known = _KNOWN.get((decoder_layers, heads_per_layer, vocabulary_size))
    if known is not None:
        name, text = known
        return KnownHeads(f"whisper-{name}", _heads(text))
    upper_half = range(decoder_layers // 2, decoder_layers)
    heads = tuple((layer, head) for layer in upper_half for head in range(heads_per_layer))
    return KnownHeads("all heads of the upper half of the decoder", heads)
