"""Whose window is next."""

from collections import Counter, deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from whisper_worker.scheduler import Scheduler


def scheduler_with(slots, **requests):
    """Requests of so many items each."""
    scheduler = Scheduler(slots)
    for name, count in requests.items():
        scheduler.add(int(name[1:]), items_of(name, count))
    return scheduler


def items_of(name, count):
    return iter([(name, index) for index in range(count)])


def take(scheduler, limit=99):
    return [item for _, item in scheduler.take(limit)]


def leave(scheduler, *requests):
    for request in requests:
        scheduler.leave(request)


def served_before(scheduler, request, count=1000):
    """A long request that has been in the slots already, and waits for its next turn."""
    scheduler.add(request, items_of(f"r{request}", count))
    assert len(scheduler.take(1)) == 1
    scheduler.leave(request)


def test_a_short_clip_does_not_wait_for_a_long_one():
    scheduler = scheduler_with(2, r1=4, r2=1)

    assert take(scheduler) == [("r1", 0), ("r2", 0)]
    leave(scheduler, 1, 2)
    assert take(scheduler) == [("r1", 1), ("r1", 2)]


def test_requests_take_turns():
    scheduler = scheduler_with(2, r1=3, r2=3, r3=3)

    assert take(scheduler) == [("r1", 0), ("r2", 0)]
    leave(scheduler, 1, 2)
    assert take(scheduler) == [("r3", 0), ("r1", 1)]
    leave(scheduler, 3, 1)
    assert take(scheduler) == [("r2", 1), ("r3", 1)]


def test_a_lone_request_takes_the_slots_in_order_and_keeps_some_free_for_newcomers():
    scheduler = scheduler_with(8, r1=7)

    assert take(scheduler) == [("r1", index) for index in range(6)]
    assert take(scheduler) == []
    leave(scheduler, 1)
    assert take(scheduler) == [("r1", 6)]
    leave(scheduler, 1)
    assert take(scheduler) == []


def test_where_there_are_few_slots_none_is_kept_free():
    scheduler = scheduler_with(3, r1=5)

    assert len(take(scheduler)) == 3


def test_no_more_is_handed_out_than_was_asked_for_or_than_there_are_slots():
    scheduler = scheduler_with(3, r1=1, r2=1, r3=1, r4=1)

    assert take(scheduler, 2) == [("r1", 0), ("r2", 0)]
    assert take(scheduler) == [("r3", 0)]
    assert take(scheduler) == []


def test_a_newcomer_finds_a_slot_at_once_beside_a_long_request():
    scheduler = scheduler_with(4, r1=100)
    take(scheduler)

    scheduler.add(2, items_of("r2", 1))

    assert take(scheduler) == [("r2", 0)]


def test_a_newcomer_gets_the_very_next_slot_where_none_is_kept_free():
    scheduler = scheduler_with(2, r1=100)
    take(scheduler)
    scheduler.add(2, items_of("r2", 1))

    leave(scheduler, 1)

    assert take(scheduler) == [("r2", 0)]


def test_newcomers_come_first_in_the_order_of_their_coming():
    scheduler = Scheduler(8)
    served_before(scheduler, 1)

    for request in (2, 3):
        scheduler.add(request, items_of(f"r{request}", 2))

    assert take(scheduler, 3) == [("r2", 0), ("r3", 0), ("r1", 1)]


def test_newcomers_do_not_pass_a_waiting_request_for_ever():
    scheduler = Scheduler(1)
    served_before(scheduler, 1)
    order = []

    for newcomer in range(2, 40):
        scheduler.add(newcomer, items_of(f"r{newcomer}", 1))
    while taken := scheduler.take(1):
        order.append(taken[0][0])
        leave(scheduler, taken[0][0])
        if order[-1] > 30:
            break

    turns_of_the_long_one = [at for at, request in enumerate(order) if request == 1]
    assert turns_of_the_long_one[:3] == [8, 17, 26]


def test_nobody_gets_more_than_half_of_the_slots_while_others_wait():
    scheduler = scheduler_with(8, r1=100)
    held = Counter(request for request, _ in scheduler.take(99))
    scheduler.add(2, items_of("r2", 100))

    for _ in range(8):
        for request, _ in scheduler.take(1):
            assert held[request] < 4
            held[request] += 1
        (most, _), *_ = held.most_common(1)
        leave(scheduler, most)
        held[most] -= 1

    assert abs(held[1] - held[2]) <= 1


def test_alone_again_a_request_may_hold_more_than_half():
    scheduler = scheduler_with(8, r1=100, r2=1)
    inside = [item for _ in range(9) for item in take(scheduler, 1)]
    assert Counter(name for name, _ in inside) == {"r1": 5, "r2": 1}

    leave(scheduler, 2)

    assert take(scheduler) == [("r1", 5)]


def test_while_a_short_request_is_decoded_long_ones_enter_one_at_a_time():
    scheduler = Scheduler(8)
    served_before(scheduler, 1)
    scheduler.add(2, items_of("r2", 1))
    take(scheduler, 1)
    assert scheduler.somebody_short_is_inside()

    assert [len(scheduler.take(4)) for _ in range(2)] == [1, 1]

    leave(scheduler, 2)

    assert not scheduler.somebody_short_is_inside()
    assert len(scheduler.take(4)) == 4


@pytest.mark.parametrize("count", [3, 50])
def test_a_request_of_more_than_two_windows_is_not_short(count):
    scheduler = scheduler_with(8, r1=count)

    take(scheduler, 3)

    assert not scheduler.somebody_short_is_inside()


def test_who_asks_for_others_than_the_short_one_itself_hears_of_others():
    scheduler = scheduler_with(8, r1=1)
    take(scheduler)

    assert scheduler.somebody_short_is_inside(besides=[2])
    assert not scheduler.somebody_short_is_inside(besides=[1])


def test_newcomers_alone_can_be_asked_for_and_the_others_keep_their_turn():
    scheduler = Scheduler(8)
    served_before(scheduler, 1)
    assert scheduler.take(4, only_newcomers=True) == []

    scheduler.add(2, items_of("r2", 2))

    assert scheduler.take(4, only_newcomers=True) == [(2, ("r2", 0))]
    assert {request for request, _ in scheduler.take(4)} == {1, 2}


def test_a_request_is_new_until_its_second_item_has_been_handed_out():
    scheduler = scheduler_with(8, r1=2)

    take(scheduler, 1)
    assert scheduler.is_new(1)
    take(scheduler, 1)
    assert not scheduler.is_new(1)
    assert not scheduler.is_new(99)


def test_a_source_is_read_only_one_item_ahead():
    read = []

    def source():
        for index in range(100):
            read.append(index)
            yield index

    scheduler = Scheduler(slots=2)
    scheduler.add(1, source())
    scheduler.take(2)

    assert read == [0, 1, 2]


def test_a_source_that_has_nothing_yet_is_asked_again_when_it_is_renewed():
    grown = deque()

    def source():
        while True:
            yield grown.popleft() if grown else None

    scheduler = Scheduler(slots=2)
    scheduler.add(1, source())
    assert take(scheduler) == []
    assert not scheduler.has_waiting
    assert not scheduler.is_spent(1)

    grown.append("first")
    assert take(scheduler) == []  # nobody has asked it again
    scheduler.renew(1)

    assert take(scheduler) == ["first"]


def test_a_request_that_grows_is_a_newcomer_until_it_has_been_served():
    grown = deque()

    def source():
        while True:
            yield grown.popleft() if grown else None

    scheduler = Scheduler(slots=8)
    scheduler.add(1, source())
    served_before(scheduler, 2)
    grown.append("first")

    scheduler.renew(1)

    assert take(scheduler, 1) == ["first"]


def test_renewing_twice_does_not_give_a_request_two_turns():
    scheduler = scheduler_with(8, r1=2, r2=2)

    scheduler.renew(1)
    scheduler.renew(1)

    assert take(scheduler, 2) == [("r1", 0), ("r2", 0)]


def test_a_source_that_ends_when_it_is_renewed_spends_its_request():
    scheduler = Scheduler(slots=2)
    scheduler.add(1, iter([None]))
    assert not scheduler.is_spent(1)

    scheduler.renew(1)

    assert scheduler.is_spent(1)


def test_renewing_what_is_not_there_is_no_error():
    Scheduler(slots=1).renew(9)


def test_a_cancelled_request_gives_no_more_items_and_leaves_the_others_alone():
    scheduler = scheduler_with(4, r1=3, r2=2)

    scheduler.cancel(1)

    assert take(scheduler) == [("r2", 0), ("r2", 1)]
    assert not scheduler.has_waiting


def test_a_cancelled_request_frees_its_slots_at_once():
    scheduler = scheduler_with(2, r1=3)
    take(scheduler)
    scheduler.add(2, items_of("r2", 2))
    assert take(scheduler) == []

    scheduler.cancel(1)

    assert take(scheduler) == [("r2", 0), ("r2", 1)]


def test_cancelling_what_is_not_there_is_no_error():
    Scheduler(slots=1).cancel(9)


def test_what_leaves_after_its_request_was_cancelled_frees_nothing_twice():
    scheduler = scheduler_with(1, r1=1, r2=1, r3=1)
    take(scheduler)
    scheduler.cancel(1)
    assert take(scheduler) == [("r2", 0)]

    leave(scheduler, 1)

    assert take(scheduler) == []


def test_an_item_that_is_put_back_comes_before_the_requests_other_items():
    scheduler = scheduler_with(1, r1=3)
    take(scheduler)

    scheduler.put_back(1, ("r1", "again"))

    assert take(scheduler) == [("r1", "again")]
    leave(scheduler, 1)
    assert take(scheduler) == [("r1", 1)]


def test_putting_back_the_last_item_gives_it_again():
    scheduler = scheduler_with(1, r1=1)
    (item,) = take(scheduler)

    scheduler.put_back(1, item)

    assert not scheduler.is_spent(1)
    assert take(scheduler) == [("r1", 0)]
    leave(scheduler, 1)
    assert scheduler.is_spent(1)


def test_putting_back_an_item_of_a_cancelled_request_does_nothing():
    scheduler = scheduler_with(1, r1=2)
    (item,) = take(scheduler)
    scheduler.cancel(1)

    scheduler.put_back(1, item)

    assert not scheduler.has_waiting


def test_a_request_is_spent_when_its_last_item_has_left_its_slot():
    scheduler = scheduler_with(1, r1=2)

    take(scheduler)
    leave(scheduler, 1)
    assert not scheduler.is_spent(1)
    take(scheduler)
    assert not scheduler.is_spent(1)
    leave(scheduler, 1)
    assert scheduler.is_spent(1)


def test_a_request_without_items_is_spent_at_once():
    scheduler = scheduler_with(1, r1=0)

    assert scheduler.is_spent(1)
    assert not scheduler.has_waiting


def test_a_source_that_cancels_its_own_request_while_it_is_read_does_no_harm():
    scheduler = Scheduler(slots=2)

    def source():
        yield "first"
        scheduler.cancel(1)

    scheduler.add(1, source())

    assert take(scheduler) == ["first"]
    assert scheduler.is_spent(1)


def test_fewer_slots_hold_from_the_next_item_on():
    scheduler = scheduler_with(4, r1=6, r2=6)
    take(scheduler)

    scheduler.slots = 1

    leave(scheduler, 1)
    assert take(scheduler) == []
    leave(scheduler, 1, 2)
    assert len(take(scheduler)) == 1


def test_waiting_items_are_counted_as_far_as_they_are_known():
    scheduler = scheduler_with(1, r1=5, r2=1)
    assert scheduler.waiting_count == 2

    (item,) = take(scheduler)
    scheduler.put_back(1, item)

    assert scheduler.waiting_count == 3


class AnyOrderOfEvents(RuleBasedStateMachine):
    """Nothing is lost, nothing is handed out twice, order is kept, slots are enough for all."""

    @initialize(slots=st.integers(1, 9))
    def begin(self, slots):
        self.scheduler = Scheduler(slots)
        self.number = 0
        self.expected = {}  # request → items that have yet to come, in order
        self.hidden = {}  # request → items its source does not have yet
        self.held = []  # (request, item) in slots
        self.served = set()

    def source(self, visible, hidden):
        while visible or hidden:
            yield visible.popleft() if visible else None

    @rule(count=st.integers(0, 12), growing=st.integers(0, 4))
    def add(self, count, growing):
        self.number += 1
        items = [(self.number, index) for index in range(count + growing)]
        visible, hidden = deque(items[:count]), deque(items[count:])
        self.expected[self.number] = deque(items)
        self.hidden[self.number] = (visible, hidden)
        self.scheduler.add(self.number, self.source(visible, hidden))

    @rule(data=st.data())
    @precondition(lambda self: any(hidden for _, hidden in self.hidden.values()))
    def grow(self, data):
        growing = [request for request, (_, hidden) in self.hidden.items() if hidden]
        request = data.draw(st.sampled_from(growing))
        visible, hidden = self.hidden[request]
        visible.append(hidden.popleft())
        self.scheduler.renew(request)

    @rule(limit=st.integers(0, 5), only_newcomers=st.booleans())
    def take(self, limit, only_newcomers=False):
        before = len(self.held)
        taken = self.scheduler.take(limit, only_newcomers=only_newcomers)
        assert len(taken) <= limit
        for request, item in taken:
            if only_newcomers:
                assert request not in self.served
            self.served.add(request)
            assert self.expected[request].popleft() == item
            self.held.append((request, item))
        assert len(self.held) <= max(self.scheduler.slots, before)

    @rule(data=st.data())
    @precondition(lambda self: self.held)
    def leave(self, data):
        request, item = data.draw(st.sampled_from(self.held))
        self.held.remove((request, item))
        self.scheduler.leave(request)

    @rule(data=st.data())
    @precondition(lambda self: self.held)
    def put_back(self, data):
        request, item = data.draw(st.sampled_from(self.held))
        self.held.remove((request, item))
        self.expected[request].appendleft(item)
        self.scheduler.put_back(request, item)

    @rule(data=st.data())
    @precondition(lambda self: self.expected)
    def cancel(self, data):
        request = data.draw(st.sampled_from(sorted(self.expected)))
        del self.expected[request], self.hidden[request]
        self.held = [(held, item) for held, item in self.held if held != request]
        self.scheduler.cancel(request)

    @rule(slots=st.integers(1, 9))
    def lower_slots(self, slots):
        self.scheduler.slots = min(slots, self.scheduler.slots)

    @rule()
    def everybody_is_served_in_the_end(self):
        for request, (visible, hidden) in self.hidden.items():
            visible += hidden
            hidden.clear()
            self.scheduler.renew(request)
        idle_calls = 0
        while any(self.expected.values()):
            if self.held:
                self.scheduler.leave(self.held.pop(0)[0])
            before = len(self.held)
            self.take(2)
            idle_calls = 0 if len(self.held) > before else idle_calls + 1
            assert idle_calls <= 20, "somebody waits and gets no slot"
        for request, _ in self.held:
            self.scheduler.leave(request)
        self.held.clear()
        for request in list(self.expected):
            self.scheduler.renew(request)
            assert self.scheduler.is_spent(request)
        assert not self.scheduler.has_waiting
        assert self.scheduler.waiting_count == 0

    def teardown(self):
        if hasattr(self, "scheduler"):
            self.everybody_is_served_in_the_end()


TestAnyOrderOfEvents = AnyOrderOfEvents.TestCase
TestAnyOrderOfEvents.settings = settings(
    derandomize=True, deadline=None, max_examples=150, stateful_step_count=40
)
