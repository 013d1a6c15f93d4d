"""Isolated modules divided among processes: activations go forward from one to the next, and nothing comes back.

While a process trains its modules on one batch, the process before it is at work on the next batch already. In step
(`staleness=0`) every process trains on every batch, in their order, and draws its random numbers from where the one
before it stopped: the numbers are those of simultaneous order in one process, bit for bit with as many threads in
each. At its own pace (`staleness=N`) a process that has fallen behind passes over batches for the newest activations
that have come; the first process is never more than N batches ahead of the last, so that no activations are older, and
the numbers depend on who was how fast.

With every batch go the losses of the modules that it has passed; the last process sends the finished account back to
all, and each yields it. A process yields the account of a step when all have taken it, by when its own modules may
be steps ahead. Behind the last step of an epoch, and soon after `Plan.gather_soon`, no batch is under way, and every
process gets the weights, objectives, optimisers and schedules of all.
"""

from __future__ import annotations

import atexit
import time
from collections import deque
from collections.abc import Generator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from infotorch.data.batches import Batch
from infotorch.numerics.ranks import Ranks, lost_another
from infotorch.objectives.base import Loss
from infotorch.training.account import Account, Work, loss_of
from infotorch.training.cache import CacheKind
from infotorch.training.division import Division, check_division, looks_back, measured_division
from infotorch.training.gathering import WeightsBefore, gather_modules
from infotorch.training.inputs import device_of
from infotorch.training.messages import Inbox, Last, Message, Outbox
from infotorch.training.position import Position, StepInfo
from infotorch.training.processes import check_same_batch, telling_of_the_lost
from infotorch.training.reading import Batches
from infotorch.training.stage import Handed, Stage

#: Batches that the first process may be ahead of the last, for each process behind it: one that is at work, one that
#: waits for it, so that a slow step of one process does not halt the others.
_AHEAD = 2
#: Seconds that a process waits for the others to end as well: after a good end, and after a failure.
_PATIENCE, _IMPATIENCE = 60.0, 5.0
#: Between two looks for a word of another process, while a collective is under way.
_LOOK = 0.001
#: Between two messages a caller may look at the network for hours.
_NO_TIMEOUT = timedelta(days=100)


def pipelined(
    stage: Stage,
    ranks: Ranks,
    batches: Batches,
    epochs: int,
    start: Position,
    *,
    cache: CacheKind | None,
    division: Division | None,
) -> Generator[StepInfo, None, None]:
    """One process's part of a run of several, from `start` to the end; see `train`.

    Raises:
        TypeError: division is something else.
        ValueError: fewer trained modules than processes, or a division of others.
    """
    check_division(division, stage.plan, ranks, where="train")
    streams, fabric = stage.streams, stage.fabric
    division = division or measured_division(
        stage.plan, batches, ranks, seed=streams.seed, fabric=fabric, micro_batches=stage.micro_batches
    )
    if cache is not None and ranks.rank == 0 and start.epoch < epochs:
        stage.fill_cache(batches, cache)
    return Pipeline(stage, ranks, division, batches, epochs, start).steps()


class Pipeline:
    """One process's part of a pipeline.

    Args:
        stage: all modules of the plan, in a process of its own.
        ranks: the processes; all of them make one, and run through its `steps`.
        division: which modules each has.
        batches: what all of them read.
        epochs: of the run.
        start: where it begins.
    """

    def __init__(
        self, stage: Stage, ranks: Ranks, division: Division, batches: Batches, epochs: int, start: Position
    ) -> None:
        self.stage, self.plan, self.ranks, self.epochs, self.start = stage, stage.plan, ranks, epochs, start
        self.rows, self.length = stage.batches_to_learn_from(batches), len(batches)
        self.parts = division.parts(stage.numbers)
        self.part = self.parts[ranks.rank]
        self.is_first, self.is_last = ranks.rank == 0, ranks.rank == ranks.size - 1
        self.numbers = [number for number in stage.numbers if number in self.part]
        self.ahead = self.plan.staleness or _AHEAD * (ranks.size - 1)
        self.messages: SimpleQueue[Message] = SimpleQueue()
        self.open: set[int] = set()
        self.ended: dict[int, int] = {}  # of those that send no more: the last step that they took part in
        self.group: Any = None
        self.outboxes: dict[int, Outbox] = {}
        self.inboxes: list[Inbox] = []
        self.failed: tuple[int, str] | None = None
        self.waiting: deque[Work] = deque()
        self.told: deque[Account] = deque()
        # Numbers of steps: the next to begin, the last yielded, the last of the epoch, the last that gathers.
        self.next, self.yielded, self.epoch_end, self.gathered = start.steps, start.steps - 1, 0, start.steps - 1
        # ... the newest that has come, the last trained on, passed on, and told by the last process.
        self.newest = self.used = self.passed = self.heard = start.steps - 1
        self.scheduled = start.steps  # the step whose rates the schedules give
        self.asked = self.halted = self.left = False

    def steps(self) -> Generator[StepInfo, None, None]:
        """Train, and yield what happened, step by step, in every process alike.

        Raises:
            RuntimeError: another process has failed, is gone, or has left its loop before this one.
            KeyboardInterrupt: Ctrl-C came.
        """
        failure: BaseException | None = None
        if self.start.stage:
            return  # the run is over
        try:
            self._join()
            for epoch in range(self.start.epoch, self.epochs):
                self._open_epoch(epoch, self.start.step if epoch == self.start.epoch else 0)
                while self.yielded < self.epoch_end:
                    self._go_on()
                    while self.told:
                        info = self._info(self.told.popleft())
                        yield info
                        if info.diverged is not None:
                            return
        except (Exception, KeyboardInterrupt) as error:
            failure = self._told_instead(error)
            if failure is not error:
                raise failure from error
            raise
        finally:
            self._leave(failure)

    def _told_instead(self, error: BaseException) -> BaseException:
        """What is told of another process, where this one's message to it, or of it, broke before that was read."""
        if self.failed is not None or not lost_another(error):
            return error
        try:
            with telling_of_the_lost(where="train"):
                with suppress(Empty):
                    while self.open:
                        self._take_in(self.messages.get(timeout=_IMPATIENCE))
                raise error
        except RuntimeError as told:
            return told

    # From here on in the order of a step: what begins it, what it does, where it goes.

    def _join(self) -> None:
        first = next(iter(self.rows.epoch(self.start.epoch, start=self.start.step)), None)
        if first is None:
            return
        check_same_batch(first, where="train")
        self.device = device_of(first.x)
        self.group = dist.new_group(backend="gloo", timeout=_NO_TIMEOUT)
        rank, last = self.ranks.rank, self.ranks.size - 1
        receivers = range(last) if self.is_last else [rank + 1]
        self.outboxes = {to: Outbox(to, self.group) for to in receivers}
        atexit.register(self._leave_at_exit)
        self.open = {source for source in (rank - 1, last) if source >= 0 and source != rank}
        self.inboxes = [Inbox(source, self.group, self.messages) for source in self.open]
        back = looks_back(self.stage, first, self.start)
        # What is sent beside the activations is of all modules before those that get it.
        self.weights = [self._weights_before(part, back) for part in self.parts]

    def _weights_before(self, part: range, back: frozenset[int]) -> WeightsBefore | None:
        before = [number for number in self.stage.numbers if number < part[0]]
        return WeightsBefore(self.plan, before) if before and any(number >= part[0] for number in back) else None

    def _open_epoch(self, epoch: int, skip: int) -> None:
        self.epoch, self.before = epoch, self.next - skip
        self.epoch_end = self.before + self.length - 1
        self.reader = enumerate(self.rows.epoch(epoch, start=skip), start=skip)

    def _go_on(self) -> None:
        """Take one step, or where none can be begun wait for a message."""
        self._receive()
        work = self._begin() if self.is_first else self._choose()
        if work is not None:
            self._do(work)
        elif not self.told:
            self._check_that_more_comes()
            self._take_in(self.messages.get())

    def _check_that_more_comes(self) -> None:
        last, rank = self.ranks.size - 1, self.ranks.rank
        before = rank - 1 in self.open or self.is_first or self.heard < self.passed
        if not before or not (self.is_last or last in self.open):
            raise self._told_of_leaver(last if before else rank - 1)

    def _begin(self) -> Work | None:
        """The first process's next batch, unless it is too far ahead or all are to gather before it."""
        ready = not self.halted and self.yielded >= self.gathered and self.next - self.yielded <= self.ahead + 1
        if not ready or self.next > self.epoch_end:
            return None
        gathers = self.next == self.epoch_end or self.asked or self.plan.gathering_asked
        work = Work(Account(self.next, gathers), None)
        self.gathered = self.next if gathers else self.gathered
        self.next += 1
        return work

    def _choose(self) -> Work | None:
        """The next work, in step; at its own pace the newest, and the accounts of older batches are passed on."""
        if not self.waiting or self.halted:
            return None
        work = self.waiting.popleft()
        newer = self.plan.staleness and not work.account.gathers and any(other.handed for other in self.waiting)
        return replace(work, handed=None) if newer else work

    def _do(self, work: Work) -> None:
        """Train this process's modules on a batch, or pass over it."""
        account = work.account
        account.asked |= self.plan.gathering_asked
        self._keep_step(account.number)
        if not (self.is_first or work.handed):
            account.learning_rates |= self.stage.learning_rates(self.part)
            return self._pass_on(account, None)
        position = Position(0, self.epoch, account.number - self.before, account.number)
        before = self.weights[self.ranks.rank]
        if before is not None:
            before.take(work.weights)
        taken = self.stage.take(self._batch(position.step), position, part=self.part, handed=work.handed)
        if before is None and any(number in self.stage.looked_back for number in self.numbers) and not self.is_first:
            raise ValueError(
                "train: in pipelined order an objective passes other inputs through earlier modules from its first "
                "step on, or never; one has begun to do so later."
            )
        self._receive()
        account.losses |= {name: self._plain(loss, account.number) for name, loss in taken.losses.items()}
        account.learning_rates |= taken.learning_rates
        account.diverged, self.halted = taken.diverged, taken.diverged is not None
        account.peak_bytes = max((p for p in (account.peak_bytes, taken.peak_bytes) if p is not None), default=None)
        if self._ends_stage(account) and account.spoiled is None and taken.diverged is None:
            account.spoiled = self.stage.spoiled(self.numbers)
        self.used, self.scheduled = account.number, account.number + 1
        return self._pass_on(account, taken.handed)

    def _keep_step(self, number: int) -> None:
        """Move the schedules by the steps that were passed over, so that rates follow the run."""
        for _ in range(number - self.scheduled):
            for module in (self.plan[n] for n in self.numbers):
                times = 0 if module.objective is None else module.objective.critic_steps
                for update, count in ((module.update, 1), (module.critic_update, times)):
                    for schedule in getattr(update, "schedulers", [getattr(update, "scheduler", None)]) * count:
                        if schedule is not None:
                            schedule.step()
        self.scheduled = number

    def _batch(self, step: int) -> Batch:
        return next(batch for number, batch in self.reader if number == step)

    def _plain(self, loss: Loss, number: int) -> dict[str | None, tuple[float, torch.dtype]]:
        """A loss as plain numbers; of a process that may pass over batches, with how stale its activations were."""
        terms: dict[str | None, Tensor] = {None: loss.total, **loss.terms}
        plain = {name: (value.item(), value.dtype) for name, value in terms.items()}
        if self.plan.staleness and not self.is_first:
            counts = {"staleness_steps": self.newest - number, "skipped_batches": number - self.used - 1}
            plain |= {name: (float(count), torch.float32) for name, count in counts.items()}
        return plain

    def _ends_stage(self, account: Account) -> bool:
        return account.number == self.epoch_end and self.epoch == self.epochs - 1

    def _pass_on(self, account: Account, handed: Handed | None) -> None:
        """To the next process; from the last one the account goes to all."""
        self.passed = account.number
        if self.is_last:
            for outbox in self.outboxes.values():
                outbox.send(account)
            self.told.append(account)
            self.heard = account.number
            return
        (outbox,) = self.outboxes.values()
        account.states = None if handed is None else len(handed.states)
        weights = self.weights[self.ranks.rank + 1]
        sent = [] if handed is None else [handed.output, *handed.states, *([] if weights is None else weights.flat())]
        outbox.send(account, sent)

    def _receive(self) -> None:
        """Take in what has come."""
        while True:
            try:
                self._take_in(self.messages.get_nowait())
            except Empty:
                return

    def _take_in(self, message: Message) -> None:
        content, tensors = message.content, list(message.tensors)
        if isinstance(content, Exception | Last):
            self.open.discard(message.source)
        if isinstance(content, Exception):
            content = Last((message.source, f"its connection has broken: {content}"))
        if isinstance(content, Last):
            self.ended[message.source] = content.yielded
            self.failed = content.failed
            if content.failed is not None:
                raise _told_of(content.failed, self.ranks)
            return
        if message.source == self.ranks.size - 1 and not self.is_last:
            self.told.append(content)
            self.asked |= content.asked
            self.heard = content.number
            return
        self.newest = content.number
        if content.states is None:
            self.waiting.append(Work(content, None))
            return
        output, states = tensors[0].to(self.device), tensors[1 : 1 + content.states]
        self.waiting.append(Work(content, Handed(output, states), tensors[1 + content.states :]))

    def _info(self, account: Account) -> StepInfo:
        """The account as a caller sees it, with all modules gathered where that is due."""
        position = Position(0, self.epoch, account.number - self.before, account.number)
        ends_epoch, gathers = account.number == self.epoch_end, account.gathers and account.diverged is None
        following = position.following(self.epochs, ends_epoch=ends_epoch)
        diverged = account.diverged or account.spoiled
        if gathers or diverged:
            self.asked = self.plan.gathering_asked = False
            wait = partial(self._wait, account.number)
            gather_modules(self.plan, self.parts, self.ranks, self.group, self.device, wait)
        self.yielded = account.number
        self.next = max(self.next, account.number + 1)
        losses = {name: loss_of(plain) for name, plain in account.losses.items()}
        ends_stage = following.stage > 0
        peak = account.peak_bytes
        rates = account.learning_rates
        return StepInfo(position, following, losses, rates, ends_epoch, ends_stage, diverged, peak, gathers)

    def _wait(self, number: int, work: dist.Work) -> None:
        """Wait for a collective behind a step; one that has left before that step would never take part."""
        while not work.is_completed():
            self._receive()
            if gone := [source for source, yielded in self.ended.items() if yielded < number]:
                raise self._told_of_leaver(gone[0])
            time.sleep(_LOOK)
        work.wait()

    def _told_of_leaver(self, number: int) -> RuntimeError:
        self.failed = (number, "it has left its loop before the others; every process runs through the same steps")
        return _told_of(self.failed, self.ranks)

    def _leave_at_exit(self) -> None:
        # A thread that is still waiting for messages would bring the process down in its last moments.
        self._leave(RuntimeError("it has ended in the midst of its loop"))

    def _leave(self, failure: BaseException | None) -> None:
        """Tell the others that nothing more comes, and why; and take in what they still send."""
        if self.left:  # as Python ends, before a loop that was kept is closed
            return
        self.left = True
        atexit.unregister(self._leave_at_exit)
        if failure is not None and self.failed is None:
            self.failed = (self.ranks.rank, f"{type(failure).__name__}: {failure}")
        until = time.monotonic() + (_PATIENCE if failure is None else _IMPATIENCE)
        for outbox in self.outboxes.values():
            with suppress(RuntimeError):  # a process that is gone hears nothing
                outbox.send(Last(self.failed, self.yielded))
        try:
            while self.open:
                message = self.messages.get(timeout=max(0.0, until - time.monotonic()))
                if isinstance(message.content, Last | Exception):
                    self.open.discard(message.source)
        except Empty:
            return  # its caller has it do other things
        for outbox in self.outboxes.values():
            with suppress(RuntimeError):
                outbox.flush()
        for inbox in self.inboxes:
            inbox.thread.join()
        if self.group is not None:
            dist.destroy_process_group(self.group)


def _told_of(failed: tuple[int, str], ranks: Ranks) -> RuntimeError:
    number, said = failed
    return RuntimeError(f"train: process {number} of {ranks.size} has failed: {said}")
