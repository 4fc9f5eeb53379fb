"""How the encoder and the decoder share the time."""

from whisper_worker.pace import Pace


def pace_with_steps_of(seconds):
    pace = Pace()
    pace.stepped(seconds)
    return pace


def test_while_windows_are_encoded_a_step_is_due_now_and_then():
    pace = pace_with_steps_of(0.1)

    pace.encoded(4.7, delays_somebody_short=False)
    assert not pace.is_step_due
    pace.encoded(0.2, delays_somebody_short=False)
    assert pace.is_step_due
    pace.stepped(0.1)

    assert not pace.is_step_due


def test_who_delays_somebody_short_has_to_wait_for_as_much_time_in_steps():
    pace = pace_with_steps_of(0.1)

    pace.encoded(0.25, delays_somebody_short=True)
    led = []
    while pace.encoder_leads:
        led.append(True)
        pace.stepped(0.1)

    assert len(led) == 3


def test_who_delays_nobody_short_never_leads():
    pace = pace_with_steps_of(0.1)

    pace.encoded(9.0, delays_somebody_short=True)
    pace.encoded(9.0, delays_somebody_short=False)

    assert not pace.encoder_leads
