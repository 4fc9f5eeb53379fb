"""Encoding in pieces gives what encoding at once gives, to the last bit."""

import pytest
import torch
from conftest import TINY_DA, load, load_network, put_pcm, read_wav, run_requests, transcribe

from whisper_worker.audio import to_float
from whisper_worker.encoder_pass import encode
from whisper_worker.linears import has_onednn
from whisper_worker.pieces import run_to_end
from whisper_worker.speech_model import DecodeRow, Ended
from whisper_worker.vad import Region, Window

NAMES = ("da", "en", "de")


def features_of(model, *names):
    windows = [to_float(read_wav(name)) for name in names]
    return model._log_mel(windows).to(model.network.dtype)


@pytest.fixture(scope="module", params=["float32", "bfloat16", "int8"])
def packed(request):
    """The bundled model in each arithmetic, with the layers that its CPU multiplies fastest."""
    if request.param == "bfloat16" and not has_onednn("bfloat16"):
        pytest.skip("this torch does not multiply bfloat16")
    return load(TINY_DA, request.param)


@pytest.mark.parametrize("count", [1, 3])
@torch.inference_mode()
def test_layer_by_layer_the_encoder_says_the_same_bits(packed, count):
    encoder, features = packed.network.model.encoder, features_of(packed, *NAMES[:count])

    found = run_to_end(encode(encoder, features))

    assert torch.equal(found, encoder(features).last_hidden_state)


@torch.inference_mode()
def test_plain_layers_say_the_same_bits_as_well(tiny_da):
    encoder, features = load_network().model.encoder, features_of(tiny_da, "da")

    assert torch.equal(run_to_end(encode(encoder, features)), encoder(features).last_hidden_state)


@pytest.fixture(scope="module")
def finely():
    """A model that stops after every layer."""
    model = load(TINY_DA, "float32")
    model._piece_seconds = 0.0
    return model


def start_row(model, encoded):
    window = Window(0, 0, 80_000, (Region(0, 80_000),))
    model.start([DecodeRow(encoded, window, "da", "transcribe", (), (0.0,), False)])


def texts_of(model, rows):
    decoded = {}
    while len(decoded) < rows:
        decoded |= {e.encoded: e.decoded for e in model.step() if isinstance(e, Ended)}
    return decoded


def test_a_pass_has_a_piece_for_each_layer_and_steps_and_passes_between_them_change_nothing(
    finely,
):
    samples = [to_float(read_wav(name)) for name in NAMES]
    alone = []
    for window in samples:
        (encoded,) = finely.encode([window])
        start_row(finely, encoded)
        alone.append(texts_of(finely, 1)[encoded].tokens)

    (first,) = finely.encode(samples[:1])
    start_row(finely, first)
    long, newcomer = (finely.begin_encoding([window]) for window in samples[1:])
    ended, pieces = {}, 0
    entered = {}
    while len(entered) < 2:
        for name, passing in (("long", long), ("newcomer", newcomer)):
            if name not in entered and (found := passing.advance()) is not None:
                entered[name] = found[0]
                start_row(finely, found[0])
            pieces += 1
        ended |= {e.encoded: e.decoded for e in finely.step() if isinstance(e, Ended)}
    ended |= texts_of(finely, 3 - len(ended))

    together = [ended[encoded].tokens for encoded in (first, entered["long"], entered["newcomer"])]
    assert together == alone
    config = finely.network.config
    # The front and each encoder layer, then the keys and values of each decoder layer, and the end.
    assert pieces == 2 * (config.encoder_layers + 1 + config.decoder_layers + 1)


@pytest.mark.parametrize("pieces", [0, 1, 3, 6])
def test_a_pass_that_is_given_up_leaves_all_slots_free(finely, pieces):
    window = to_float(read_wav("da"))
    passing = finely.begin_encoding([window])
    for _ in range(pieces):
        assert passing.advance() is None

    passing.close()

    assert finely._decoder.free_slots == finely.slots
    places = finely.encode([window] * finely.slots)
    for place in places:
        finely.release(place)


def words_of(messages, request):
    windows = [m for m in messages if m.kind == "window" and m.id == request]
    return [(w.start, w.end, [s.text for s in w.segments]) for w in windows]


def test_recordings_say_the_same_whether_windows_are_encoded_in_pieces_or_whole(
    tiny_da, finely, spool
):
    long = put_pcm(spool, read_wav("long"), "long.pcm")
    clips = [put_pcm(spool, read_wav(name), f"{name}.pcm") for name in NAMES]

    def run(model):
        asked = [transcribe(clip, 2 + i) for i, clip in enumerate(clips)]
        return run_requests(
            model,
            spool,
            [transcribe(long, 1, deltas=True)],
            # One clip after the other comes while the file's next window is being encoded.
            answer=lambda m: [asked.pop()] if m.kind == "delta" and asked else [],
        )

    whole, pieces = run(tiny_da), run(finely)

    for request in range(1, 5):
        assert words_of(pieces, request) == words_of(whole, request) != []
