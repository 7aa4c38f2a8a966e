"""What a flight recorder writes down of analyses and experiments: enough for a replay, and no secret."""

from __future__ import annotations

import pytest

from actors.analysis.room import analysis_room
from actors.analysis.state import AnalysisSettings
from actors.experiment.room import experiment_room
from runtime.objects import SECRETS
from runtime.recorder import Recorder
from runtime.replay import replay
from runtime.system import Settings
from tests.analysis.test_secrets import ASKS, SECRET
from tests.analysis.trials import analysis, analysis_template, experiment, template
from tests.analysis.world import EXPERIMENTS, RUNS, TEMPLATES, Script, ends, job_metric, lab, metric, run_of

pytestmark = pytest.mark.virtual_time


def rooms(measure):
    return [analysis_room(measure, AnalysisSettings("system")), experiment_room()]


async def test_a_recorded_run_decides_the_same_again_and_no_secret_is_written_down():
    recorder = Recorder()
    script = Script({"m": [1.0, 0.0, 1.0, 1.0, 1.0]})
    async with lab(script, fate=ends(0), rooms=rooms, settings=Settings(recorder=recorder)) as here:
        await here.create(SECRETS, {"metadata": {"name": "s"}, "data": {"k": "aHVudGVyMg=="}})
        asked = metric(provider=ASKS, interval="5s", count=4, failureLimit=1)
        await here.create(TEMPLATES, analysis_template("t", asked, job_metric(), args=SECRET))
        ref = await here.create(RUNS, run_of("r", asked, job_metric(), args=SECRET))
        whole = await here.create(EXPERIMENTS, experiment(template("a"), analyses=[
            analysis("x", requiredForCompletion=True)]))  # fmt: skip
        await here.phase(ref, "Successful")
        await here.phase(whole, "Successful")

        assert script.queries[0].settings["headers"][0]["value"] == "hunter2"
        _, *lines = recorder.lines()
        assert not any("hunter2" in line or "aHVudGVyMg" in line for line in lines)
        done = replay(lines, rooms(script.safe))
        assert done.difference is None, str(done.difference)
        assert done.compared > 30
