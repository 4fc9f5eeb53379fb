"""Rows on the device: what one row does is nothing to another, wherever it stands."""

import pytest
import torch
from conftest import load_network, read_wav

from whisper_worker.audio import to_float
from whisper_worker.slots import RowStart, Slots
from whisper_worker.vocabulary import decoder_prefix

STEPS = 12


@pytest.fixture(scope="module")
def network():
    return load_network()


@pytest.fixture(scope="module")
def encodings(tiny_da, network):
    """Encoder outputs of three recordings: (1500, width) each."""
    with torch.inference_mode():
        features = tiny_da._log_mel([to_float(read_wav(name)) for name in ("da", "en", "de")])
        return list(network.model.encoder(features).last_hidden_state)


@pytest.fixture
def slots(tiny_da, network):
    with torch.inference_mode():
        yield Slots(network, tiny_da.facts, 4)


@pytest.fixture(scope="module")
def start(tiny_da):
    """Makes the beginning of a row."""

    def make(language="da", prompt="", **changes):
        vocabulary = tiny_da.facts.vocabulary
        has_timestamps = changes.get("timestamp_tokens", False)
        prompt_tokens = tiny_da.prompt_tokens(prompt)
        prefix = decoder_prefix(
            vocabulary, language, "transcribe", prompt_tokens, timestamp_tokens=has_timestamps
        )
        plain = {"temperature": 0.0, "seed": 5, "timestamp_tokens": False, **changes}
        heard = prefix.index(vocabulary.start_of_transcript)
        return RowStart(prefix=prefix, start_of_transcript=heard, **plain)

    return make


def step(slots, starts, done, **kinds):
    """One step for these rows, which have done so many before."""
    past = max(len(start.prefix) for start in starts) + done + 1
    result = slots.step(len(starts), past, **{"is_hot": False, "is_stamped": False, **kinds})
    tokens, logprobs = result.tolist()
    return [int(token) for token in tokens], logprobs


def tokens_alone(slots, encoding, start, **kinds):
    """What a row says by itself in slot 0."""
    slots.fill(0, encoding)
    (first,) = slots.begin(0, [start])
    rest = [step(slots, [start], done, **kinds)[0][0] for done in range(STEPS)]
    return [first.token, *rest]


def test_prefixes_of_different_lengths_go_together(slots, encodings, start):
    starts = [
        start("da"),
        start("en", prompt="Peter har en rød bil. " * 3),
        start("de", prompt="Toget"),
    ]
    alone = [tokens_alone(slots, e, s) for e, s in zip(encodings, starts, strict=True)]

    for slot, encoding in enumerate(encodings):
        slots.fill(slot, encoding)
    said = [[first.token] for first in slots.begin(0, starts)]
    for done in range(STEPS):
        for row, token in zip(said, step(slots, starts, done)[0], strict=True):
            row.append(token)

    assert said == alone


def test_rows_of_every_kind_share_a_step(slots, encodings, start):
    rows = [
        (encodings[0], start("da")),
        (encodings[0], start("da", temperature=10.0, seed=77)),
        (encodings[1], start("en", timestamp_tokens=True)),
    ]
    kinds = {"is_hot": True, "is_stamped": True}
    alone = [
        tokens_alone(slots, rows[0][0], rows[0][1]),
        tokens_alone(slots, rows[1][0], rows[1][1], is_hot=True),
        tokens_alone(slots, rows[2][0], rows[2][1], is_stamped=True),
    ]

    starts = [start for _, start in rows]
    for slot, (encoding, _) in enumerate(rows):
        slots.fill(slot, encoding)
    said = [[first.token] for first in slots.begin(0, starts)]
    for done in range(STEPS):
        for row, token in zip(said, step(slots, starts, done, **kinds)[0], strict=True):
            row.append(token)

    assert said == alone
    assert said[0] != said[1]


@pytest.mark.parametrize("moves_after", [0, 1, 7])
@pytest.mark.parametrize("kind", ["surest", "hot", "stamped"])
def test_a_row_that_moves_says_what_it_would_have_said(slots, encodings, start, moves_after, kind):
    special = {
        "surest": {},
        "hot": {"temperature": 10.0},
        "stamped": {"timestamp_tokens": True},
    }[kind]
    kinds = {"is_hot": kind == "hot", "is_stamped": kind == "stamped"}
    mover, other = start("en", **special), start("da")
    expected = tokens_alone(slots, encodings[1], mover, **kinds)

    for slot in (0, 1, 2):
        slots.fill(slot, encodings[slot])
    slots.begin(0, [other, other])
    slots.fill(2, encodings[1])
    (first,) = slots.begin(2, [mover])
    said = [first.token]
    for done in range(moves_after):
        said.append(step(slots, [other, other, mover], done, **kinds)[0][2])
    slots.move(2, 0, len(mover.prefix) + moves_after)
    for done in range(moves_after, STEPS):
        said.append(step(slots, [mover], done, **kinds)[0][0])

    assert said == expected


def test_what_a_row_listened_to_moves_with_it(slots, encodings, start):
    row = start("da")
    length = len(row.prefix) + STEPS
    tokens_alone(slots, encodings[0], row)
    expected = slots.attention(0, slots.queries(0, length), 290)

    slots.move(0, 3, length)
    slots.fill(0, encodings[2])

    moved = slots.attention(3, slots.queries(3, length), 290)
    assert torch.equal(moved, expected)
    assert expected.shape == (2, length, 290)
    torch.testing.assert_close(expected.sum(-1), torch.ones(2, length))


def test_a_slot_that_is_filled_again_remembers_nothing(slots, encodings, start):
    fresh = tokens_alone(slots, encodings[1], start("en"))

    tokens_alone(slots, encodings[0], start("da", prompt="Peter har en rød bil. " * 20))

    assert tokens_alone(slots, encodings[1], start("en")) == fresh


def test_hearing_a_language_does_not_disturb_rows_that_are_decoded(slots, encodings, start):
    row = start("da")
    expected = tokens_alone(slots, encodings[0], row)

    slots.fill(0, encodings[0])
    slots.fill(1, encodings[1])
    (first,) = slots.begin(0, [row])
    said = [first.token]
    for done in range(STEPS):
        slots.first_logits(1, 1)
        said.append(step(slots, [row], done)[0][0])

    assert said == expected


def test_the_first_logits_are_those_of_the_network(slots, network, encodings, tiny_da):
    sot = tiny_da.facts.vocabulary.start_of_transcript
    slots.fill(0, encodings[0])
    slots.fill(1, encodings[2])

    heard = slots.first_logits(0, 2)

    for row, encoding in zip(heard, (encodings[0], encodings[2]), strict=True):
        expected = network(
            encoder_outputs=(encoding[None],), decoder_input_ids=torch.tensor([[sot]])
        ).logits[0, 0]
        torch.testing.assert_close(row, expected, atol=1e-3, rtol=1e-4)


def test_an_empty_slot_between_others_is_harmless_for_as_long_as_the_decoder_is_deep(
    slots, encodings, start
):
    row = start("da")
    for slot in (0, 1):
        slots.fill(slot, encodings[0])
    slots.begin(0, [row, row])  # nobody wants what slot 0 says

    for done in range(slots.positions_available + 20):
        past = min(len(row.prefix) + done + 1, slots.positions_available)
        result = slots.step(2, past, is_hot=False, is_stamped=False)

    assert result.isfinite().all()
    assert tokens_alone(slots, encodings[1], start("en"))[0] >= 0
