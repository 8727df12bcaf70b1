"""Scenarios side by side: each is played by a process of its own, begun when the state that it goes on from is there.

What one prints comes in one piece, when it has ended; where there is but one lane, at once.
"""

import os
import pickle
import resource
import signal
import sys
import tempfile
import time
import traceback


class Lane:
    """A process that plays one scenario. work: a function without arguments, whose result can be pickled."""

    def __init__(self, scenario, work, alone):
        self.scenario, self.started = scenario, time.monotonic()
        self.said = None if alone else tempfile.TemporaryFile("w+", errors="replace")
        self.told = tempfile.TemporaryFile()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self._play(work)

    def _play(self, work):
        status = 1
        try:
            if self.said:
                os.dup2(self.said.fileno(), 1)
                os.dup2(self.said.fileno(), 2)
            result = work()
            self.told.write(pickle.dumps(result))
            self.told.flush()
            status = 0
        except BaseException:  # told to stop, for one
            traceback.print_exc(file=sys.stdout)
        finally:
            sys.stdout.flush()
            os._exit(status)

    def end(self, status):
        """What the scenario has said, and its result; None when the process did not come to its end."""
        if self.said:
            self.said.seek(0)
            sys.stdout.write(self.said.read())
        if os.waitstatus_to_exitcode(status) != 0:
            print(f"not ok - {self.scenario.name}: it was not played to its end", flush=True)
            return None
        self.told.seek(0)
        return pickle.load(self.told)


def processor_seconds():
    """What the programs have used that this process has waited for: the machines, for the most part."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def ready(scenarios, states, pending):
    """The first scenario that can be begun; one whose state nobody can leave any more fails when it is played."""
    coming = {scenario.leaves for scenario in pending if scenario.leaves}
    for scenario in scenarios:
        if scenario.begins in states or scenario.begins not in coming:
            return scenario
    return None


def play_all(scenarios, states, lanes, play):
    """Plays scenarios, up to so many at a time. play: from a scenario to (passed, failed, the state that it leaves).
    Returns how many assertions have held and failed."""
    waiting, running = list(scenarios), {}
    passed, failed, used_before = 0, 0, processor_seconds()
    try:
        while waiting or running:
            pending = waiting + [lane.scenario for lane in running.values()]
            while len(running) < lanes and (scenario := ready(waiting, states, pending)):
                waiting.remove(scenario)
                lane = Lane(scenario, lambda scenario=scenario: play(scenario), lanes == 1)
                running[lane.pid] = lane
            pid, status = os.wait()
            lane = running.pop(pid)
            good, bad, state = lane.end(status) or (0, 1, None)
            passed, failed = passed + good, failed + bad
            if state:
                states[lane.scenario.leaves] = state
            seconds = time.monotonic() - lane.started
            used = processor_seconds() - used_before
            used_before += used
            print(f"# {lane.scenario.name}: {seconds:.0f} s, {used:.0f} s of a processor", flush=True)
    finally:
        for pid in running:
            os.kill(pid, signal.SIGTERM)
        for pid, lane in running.items():
            lane.end(os.waitpid(pid, 0)[1])
    return passed, failed
