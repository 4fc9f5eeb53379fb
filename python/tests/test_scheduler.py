"""Whose window is next."""

from whisper_worker.scheduler import Scheduler


def scheduler_with(batch_size, **requests):
    scheduler = Scheduler(batch_size)
    for name, count in requests.items():
        scheduler.add(int(name[1:]), iter([(name, index) for index in range(count)]))
    return scheduler


def batch_of(scheduler):
    return [item for _, item in scheduler.next_batch()]


def test_a_short_clip_does_not_wait_for_a_long_one():
    scheduler = scheduler_with(2, r1=4, r2=1)

    assert batch_of(scheduler) == [("r1", 0), ("r2", 0)]
    assert batch_of(scheduler) == [("r1", 1), ("r1", 2)]


def test_requests_take_turns_across_batches():
    scheduler = scheduler_with(2, r1=3, r2=3, r3=3)

    assert batch_of(scheduler) == [("r1", 0), ("r2", 0)]
    assert batch_of(scheduler) == [("r3", 0), ("r1", 1)]
    assert batch_of(scheduler) == [("r2", 1), ("r3", 1)]


def test_a_lone_request_fills_the_batch_in_order():
    scheduler = scheduler_with(4, r1=5)

    assert batch_of(scheduler) == [("r1", index) for index in range(4)]
    assert batch_of(scheduler) == [("r1", 4)]
    assert batch_of(scheduler) == []


def test_a_newcomer_gets_a_place_in_the_very_next_batch():
    scheduler = scheduler_with(2, r1=100)
    batch_of(scheduler)

    scheduler.add(2, iter([("r2", 0)]))

    assert ("r2", 0) in batch_of(scheduler)


def test_a_source_is_read_only_one_item_ahead():
    read = []

    def source():
        for index in range(100):
            read.append(index)
            yield index

    scheduler = Scheduler(batch_size=2)
    scheduler.add(1, source())
    scheduler.next_batch()

    assert read == [0, 1, 2]


def test_a_cancelled_request_gives_no_more_items_and_leaves_the_others_alone():
    scheduler = scheduler_with(4, r1=3, r2=2)

    scheduler.cancel(1)

    assert batch_of(scheduler) == [("r2", 0), ("r2", 1)]
    assert not scheduler.has_waiting


def test_cancelling_what_is_not_there_is_no_error():
    Scheduler(batch_size=1).cancel(9)


def test_an_item_that_is_put_back_comes_before_the_requests_other_items():
    scheduler = scheduler_with(1, r1=3)
    scheduler.next_batch()

    scheduler.put_back(1, ("r1", "again"))

    assert batch_of(scheduler) == [("r1", "again")]
    assert batch_of(scheduler) == [("r1", 1)]


def test_putting_back_revives_a_request_that_was_spent():
    scheduler = scheduler_with(1, r1=1)
    (item,) = batch_of(scheduler)
    assert scheduler.is_spent(1)

    scheduler.put_back(1, item)

    assert not scheduler.is_spent(1)
    assert batch_of(scheduler) == [("r1", 0)]


def test_putting_back_an_item_of_a_cancelled_request_does_nothing():
    scheduler = scheduler_with(1, r1=2)
    (item,) = batch_of(scheduler)
    scheduler.cancel(1)

    scheduler.put_back(1, item)

    assert not scheduler.has_waiting


def test_the_last_item_is_known_to_be_the_last_when_it_is_handed_out():
    scheduler = scheduler_with(1, r1=2)

    scheduler.next_batch()
    assert not scheduler.is_spent(1)
    scheduler.next_batch()
    assert scheduler.is_spent(1)


def test_a_request_without_items_is_spent_at_once():
    scheduler = scheduler_with(1, r1=0)

    assert scheduler.is_spent(1)
    assert not scheduler.has_waiting


def test_a_source_that_cancels_its_own_request_while_it_is_read_does_no_harm():
    scheduler = Scheduler(batch_size=2)

    def source():
        yield "first"
        scheduler.cancel(1)

    scheduler.add(1, source())

    assert batch_of(scheduler) == ["first"]
    assert scheduler.is_spent(1)


def test_a_smaller_batch_size_holds_from_the_next_batch_on():
    scheduler = scheduler_with(4, r1=6)
    scheduler.next_batch()

    scheduler.batch_size = 1

    assert len(scheduler.next_batch()) == 1
