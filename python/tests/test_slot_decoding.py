"""Windows in slots: how they enter, what ends them, what follows, and when their place is free."""

import dataclasses

import pytest
import torch
from conftest import TINY_DA, load, load_network, read_wav, token_bytes_of

from whisper_worker.audio import to_float
from whisper_worker.guards import needs_fallback
from whisper_worker.slot_decoding import SlotDecoder
from whisper_worker.slots import Slots
from whisper_worker.speech_model import DecodeRow, Ended, Spoken
from whisper_worker.vad import Region, Window

RATE = 16_000


@pytest.fixture(scope="module")
def network():
    return load_network()


@pytest.fixture(scope="module")
def encodings(tiny_da, network):
    with torch.inference_mode():
        features = tiny_da._log_mel([to_float(read_wav(name)) for name in ("da", "en", "de")])
        outputs = network.model.encoder(features).last_hidden_state
    return dict(zip(("da", "en", "de"), outputs, strict=True))


@pytest.fixture
def make_decoder(tiny_da, network):
    def make(slots=3, look_ahead=0, facts=tiny_da.facts):
        return SlotDecoder(Slots(network, facts, slots), facts, token_bytes_of(tiny_da), look_ahead)

    with torch.inference_mode():
        yield make


def row(encoded, language="da", seconds=None, **changes):
    seconds = len(read_wav(language)) / RATE if seconds is None else seconds
    length = int(seconds * RATE)
    plain = DecodeRow(
        encoded=encoded,
        window=Window(0, 0, length, (Region(0, length),)),
        language=language,
        task="transcribe",
        prompt_tokens=(),
        ladder=(0.0,),
        word_timestamps=False,
    )
    return dataclasses.replace(plain, **changes)


def run(decoder, rows):
    """All events until the rows have ended."""
    events = []
    open_rows = {row.encoded for row in rows}
    decoder.start(rows)
    while open_rows:
        for event in decoder.step():
            events.append(event)
            if isinstance(event, Ended):
                open_rows.discard(event.encoded)
    return events


def decode(decoder, encoding, **changes):
    """One window alone."""
    (place,) = decoder.take([encoding])
    *_, ended = run(decoder, [row(place, **changes)])
    return ended.decoded


@pytest.fixture
def said(make_decoder, encodings):
    """What each recording says alone, in its own language."""
    return {name: decode(make_decoder(), e, language=name) for name, e in encodings.items()}


def test_an_ended_window_leaves_its_slot(make_decoder, encodings):
    decoder = make_decoder(slots=1)

    for _ in range(3):
        assert decode(decoder, encodings["da"]).tokens
        assert decoder.free_slots == 1


def test_without_windows_a_step_does_nothing(make_decoder):
    assert make_decoder().step() == []


@pytest.mark.parametrize("look_ahead", [0, 1])
@pytest.mark.parametrize("steps_before", [0, 1, 6])
def test_a_released_slot_is_free_at_once_even_while_a_step_is_under_way(
    make_decoder, encodings, said, look_ahead, steps_before
):
    decoder = make_decoder(slots=1, look_ahead=look_ahead)
    (given_up,) = decoder.take([encodings["en"]])
    decoder.start([row(given_up, "en")])
    for _ in range(steps_before):
        decoder.step()

    decoder.release(given_up)
    assert decoder.free_slots == 1
    (place,) = decoder.take([encodings["da"]])
    events = run(decoder, [row(place)])

    assert {event.encoded for event in events} == {place}
    assert events[-1].decoded.tokens == said["da"].tokens


@pytest.mark.parametrize("look_ahead", [0, 1])
def test_rows_close_up_and_say_what_they_would_have_said(make_decoder, encodings, said, look_ahead):
    decoder = make_decoder(slots=3, look_ahead=look_ahead)
    places = decoder.take([encodings[name] for name in ("da", "en", "de")])
    decoder.start([row(p, n) for p, n in zip(places, ("da", "en", "de"), strict=True)])
    for _ in range(4):
        decoder.step()

    decoder.release(places[0])
    decoder.step()
    assert sorted(place.slot for place in places[1:]) == [0, 1]
    events = []
    while decoder.free_slots < 3:
        events += decoder.step()

    told = {event.encoded: event.decoded.tokens for event in events}
    assert told == {places[1]: said["en"].tokens, places[2]: said["de"].tokens}


def test_a_window_that_is_encoded_and_waits_keeps_its_slot_while_others_move(
    make_decoder, encodings, said
):
    decoder = make_decoder(slots=3)
    first, waiting, last = decoder.take([encodings[name] for name in ("da", "en", "de")])
    decoder.start([row(first), row(last, "de")])
    decoder.step()
    decoder.release(first)
    decoder.step()
    assert (last.slot, waiting.slot) == (0, 1)

    told = {e.encoded: e.decoded for e in run(decoder, [row(waiting, "en")])}

    assert told[waiting].tokens == said["en"].tokens


def test_a_window_that_has_left_may_be_released_again_and_cannot_be_started(
    make_decoder, encodings
):
    decoder = make_decoder(slots=1)
    (place,) = decoder.take([encodings["da"]])
    run(decoder, [row(place)])

    decoder.release(place)

    assert decoder.free_slots == 1
    with pytest.raises(RuntimeError, match="left its slot"):
        decoder.start([row(place)])
    with pytest.raises(ValueError, match="left its slot"):
        decoder.language_logits([place])
    assert decoder.step() == []


@pytest.mark.parametrize("look_ahead", [0, 1])
def test_a_text_that_fails_its_checks_is_decoded_again_at_the_next_temperature(
    make_decoder, encodings, said, look_ahead
):
    decoder = make_decoder(look_ahead=look_ahead)

    # What is sampled at 10 is so improbable that it fails.
    decoded = decode(decoder, encodings["da"], ladder=(10.0, 8.0, 0.0), word_timestamps=True)

    assert (decoded.temperature, decoded.attempts) == (0.0, 3)
    assert decoded.tokens == said["da"].tokens
    assert "".join(word.text for word in decoded.words) == decoded.text
    at_once = decode(decoder, encodings["da"], word_timestamps=True)
    assert [(w.start, w.end) for w in decoded.words] == [(w.start, w.end) for w in at_once.words]


def test_a_text_that_passes_is_not_tried_again(make_decoder, encodings, said):
    decoded = decode(make_decoder(), encodings["da"], ladder=(0.0, 0.4, 0.8))

    assert (decoded.temperature, decoded.attempts) == (0.0, 1)
    assert decoded.tokens == said["da"].tokens


@pytest.mark.parametrize("ladder", [(5.0, 50.0), (50.0, 5.0), (50.0, 5.0, 50.0)])
def test_when_no_temperature_passes_the_surest_text_is_kept(make_decoder, encodings, ladder):
    decoded = decode(make_decoder(), encodings["da"], ladder=ladder, word_timestamps=True)

    assert needs_fallback(decoded)
    assert (decoded.temperature, decoded.attempts) == (5.0, len(ladder))
    assert "".join(word.text for word in decoded.words) == decoded.text


def test_companions_are_not_disturbed_by_a_window_that_begins_anew(make_decoder, encodings, said):
    decoder = make_decoder(look_ahead=1)
    places = decoder.take([encodings[name] for name in ("da", "en", "de")])

    rows = [row(places[0], ladder=(10.0, 0.0)), row(places[1], "en"), row(places[2], "de")]
    told = {event.encoded: event.decoded for event in run(decoder, rows)}

    assert [told[place].tokens for place in places] == [said[n].tokens for n in ("da", "en", "de")]


def test_a_window_says_no_more_tokens_than_its_limit(make_decoder, encodings, said):
    decoder = make_decoder()
    decoder.token_limit = lambda _window, _prefix: 5

    decoded = decode(decoder, encodings["da"], word_timestamps=True)

    assert decoded.tokens == said["da"].tokens[:5]
    assert "".join(word.text for word in decoded.words) == decoded.text


def test_by_itself_the_limit_follows_from_the_length_of_the_speech(make_decoder, encodings):
    decoder = make_decoder()
    short = Window(0, 0, 2 * RATE, (Region(0, RATE // 2),))

    decoded = decode(decoder, encodings["da"], window=short)

    assert 0 < len(decoded.tokens) <= 16 + 6


@pytest.fixture
def stuck_facts(tiny_da):
    """A model that can say one word only, and never ends."""
    facts = tiny_da.facts
    end = facts.vocabulary.end_of_text
    (word, *_) = tiny_da.prompt_tokens("rød")
    others = [token for token in range(facts.vocabulary.size) if token != word]
    return dataclasses.replace(facts, suppressed=tuple(others), begin_suppressed=(end,))


@pytest.mark.parametrize("look_ahead", [0, 1])
def test_a_text_that_goes_in_circles_is_ended_long_before_its_limit(
    make_decoder, encodings, stuck_facts, look_ahead
):
    decoder = make_decoder(facts=stuck_facts, look_ahead=look_ahead)

    decoded = decode(decoder, encodings["da"], seconds=29, word_timestamps=True)

    assert decoded.has_looped
    assert 30 < len(decoded.tokens) < 60
    assert "".join(word.text for word in decoded.words) == decoded.text
    assert decoder.free_slots == 3


def test_a_loop_is_tried_again_at_every_temperature(make_decoder, encodings, stuck_facts):
    decoder = make_decoder(facts=stuck_facts)

    decoded = decode(decoder, encodings["da"], seconds=29, ladder=(0.0, 0.4, 0.8))

    assert decoded.has_looped
    assert decoded.attempts == 3


def test_who_does_not_want_loops_ended_gets_all_of_them(make_decoder, encodings, stuck_facts):
    decoder = make_decoder(facts=stuck_facts)

    decoded = decode(decoder, encodings["da"], seconds=8, stops_loops=False)

    assert not decoded.has_looped
    assert len(decoded.tokens) == 16 + 8 * 12


def test_a_text_is_said_aloud_word_by_word_and_is_the_beginning_of_what_ends(
    make_decoder, encodings
):
    decoder = make_decoder()
    (place,) = decoder.take([encodings["da"]])

    *spoken, ended = run(decoder, [row(place, streams=True)])

    assert len(spoken) > 5
    assert all(isinstance(event, Spoken) for event in spoken)
    assert ended.decoded.text.startswith("".join(event.text for event in spoken))
    assert all(event.text.startswith(" ") for event in spoken)


def test_nothing_of_a_text_that_fails_is_said_aloud(make_decoder, encodings, said):
    decoder = make_decoder()
    (place,) = decoder.take([encodings["da"]])

    *spoken, ended = run(decoder, [row(place, streams=True, ladder=(10.0, 0.0))])

    assert ended.decoded.text == said["da"].text
    assert said["da"].text.startswith("".join(event.text for event in spoken))
    assert spoken


def test_a_text_of_which_something_has_been_said_is_not_tried_again(
    make_decoder, encodings, stuck_facts
):
    decoder = make_decoder(facts=stuck_facts)
    (place,) = decoder.take([encodings["da"]])
    # One token alone is allowed, so the model is quite sure of it.
    rows = [row(place, streams=True, ladder=(0.0, 0.4), seconds=29)]

    *spoken, ended = run(decoder, rows)

    assert spoken
    assert ended.decoded.attempts == 1
    assert ended.decoded.has_looped
    assert ended.decoded.text.startswith("".join(event.text for event in spoken))


def test_silence_ends_with_its_first_token(make_decoder, tiny_da, network):
    features = tiny_da._log_mel([to_float(read_wav("silence"))])
    encoding = network.model.encoder(features).last_hidden_state[0]
    decoder = make_decoder()
    (place,) = decoder.take([encoding])

    decoder.start([row(place, seconds=3, word_timestamps=True)])
    (ended,) = decoder.step()

    assert (ended.decoded.text, ended.decoded.words) == ("", ())


def test_words_are_timed_in_a_text_with_timestamp_tokens_as_well(make_decoder, encodings, said):
    decoded = decode(make_decoder(), encodings["da"], word_timestamps=True, timestamp_tokens=True)

    assert len(decoded.tokens) > len(said["da"].tokens)
    assert decoded.text == "".join(word.text for word in decoded.words)
    assert decoded.text == said["da"].text


def test_each_language_is_heard_in_its_own_recording(make_decoder, encodings, tiny_da):
    decoder = make_decoder()
    places = decoder.take(encodings.values())

    logits = decoder.language_logits(places)

    ids = tiny_da.facts.vocabulary.languages
    heard = [max(ids, key=lambda code, r=row_: r[ids[code]]) for row_ in logits]
    assert heard == list(encodings)


@pytest.fixture
def encoder_passes(tiny_da):
    """How many windows the encoder has seen in each of its passes."""
    passes = []
    handle = tiny_da.network.model.encoder.layer_norm.register_forward_hook(
        lambda _module, _inputs, output: passes.append(len(output))
    )
    yield passes
    handle.remove()


def test_a_window_is_encoded_once_whatever_is_asked_of_it(tiny_da, encoder_passes):
    (place,) = tiny_da.encode([to_float(read_wav("da"))])

    tiny_da.detect_language([place])
    tiny_da.start([row(place, ladder=(10.0, 8.0, 0.0), word_timestamps=True, streams=True)])
    events = []
    while not events or not isinstance(events[-1], Ended):
        events += tiny_da.step()

    assert events[-1].decoded.attempts == 3
    assert events[-1].decoded.words
    assert encoder_passes == [1]


def test_windows_of_one_call_are_encoded_in_one_pass(tiny_da, encoder_passes):
    places = tiny_da.encode([to_float(read_wav(name)) for name in ("da", "en")])

    assert encoder_passes == [2]
    for place in places:
        tiny_da.release(place)


def test_more_windows_than_free_slots_are_refused_and_take_none(tiny_da, encoder_passes):
    window = to_float(read_wav("da"))
    taken = tiny_da.encode([window] * (tiny_da.slots - 1))

    with pytest.raises(ValueError, match="2 windows, 1 free slots"):
        tiny_da.encode([window, window])

    assert len(encoder_passes) == 1
    (last,) = tiny_da.encode([window])
    for place in [*taken, last]:
        tiny_da.release(place)


@pytest.mark.parametrize("slots", [1, 5])
def test_a_model_has_as_many_slots_as_the_operator_wants(slots):
    model = load(TINY_DA, slots=slots)

    assert model.slots == model.describe().slots == slots
    places = model.encode([to_float(read_wav("da"))] * slots)
    assert len(places) == slots
