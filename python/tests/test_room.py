"""Slots that the device had no memory for, and that come back."""

from whisper_worker.room import Room


def steps_until_more(room):
    slots = room.slots
    for step in range(1, 10_000_000):
        room.step()
        if room.slots > slots:
            return step
    raise AssertionError("no slot came back")


def test_slots_that_were_lost_come_back_one_by_one_and_no_more_than_there_were():
    room = Room(8)
    room.shrink(6)

    assert [steps_until_more(room), steps_until_more(room)] == [1000, 1000]
    for _ in range(5000):
        room.step()
    assert room.slots == 8


def test_each_time_that_the_memory_was_not_there_it_waits_twice_as_long():
    room = Room(8)
    waits = []
    for _ in range(12):
        room.shrink(4)
        waits.append(steps_until_more(room))

    assert waits[:4] == [1000, 2000, 4000, 8000]
    assert waits[-2:] == [500_000, 500_000]


def test_one_slot_is_left_and_shrinking_never_adds_any():
    room = Room(4)

    room.shrink(0)
    assert room.slots == 1
    room.shrink(3)
    assert room.slots == 1
