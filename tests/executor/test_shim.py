"""The shim keeps what the command says and does, and reports it in a frame."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from actors.contract import frame, paths
from tests.executor.pod import Volume, shim_instructions

NONCE = "0123456789abcdef"


@pytest.mark.spec("SCR-5")
@pytest.mark.parametrize("code", [0, 1, 3, 42, 255])
def test_the_exit_code_is_the_commands(volume: Volume, code: int) -> None:
    ended = volume.run(["sh", "-c", f"exit {code}"])
    assert (ended.code, ended.content) == (code, {"code": code})
    assert (volume.directory / "exit-main").read_text() == str(code)


def test_death_by_a_signal_is_128_and_its_number(volume: Volume) -> None:
    ended = volume.run(["sh", "-c", "kill -9 $$"])
    assert (ended.code, ended.content) == (137, {"code": 137})


def test_a_command_that_does_not_exist_ends_with_64_and_a_sentence(volume: Volume) -> None:
    ended = volume.run(["no-such-command-here"])
    assert ended.code == 64
    assert ended.content["message"] == "cannot start 'no-such-command-here': executable file not found in $PATH"
    assert "no-such-command-here" in ended.stderr


def test_a_path_to_nothing_is_told_in_the_kernels_words(volume: Volume, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    ended = volume.run([str(script)])
    assert (ended.code, ended.content["message"]) == (64, f"cannot start '{script}': no such file or directory")


def test_a_file_that_cannot_be_executed_says_so(volume: Volume, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("echo hi")
    assert "not executable" in volume.run([str(script)]).content["message"]
    script.chmod(0o755)
    assert "#! line" in volume.run([str(script)]).content["message"]


@pytest.mark.spec("SCR-3")
@pytest.mark.parametrize(
    ("printed", "result"),
    [("heads", "heads"), ("heads\n", "heads"), ("heads\n\n", "heads\n"), ("", ""), ("\n", ""), ("a\r\n", "a\r")],
)
def test_the_result_is_stdout_less_one_newline(volume: Volume, printed: str, result: str) -> None:
    ended = volume.run([sys.executable, "-c", f"import sys; sys.stdout.write({printed!r})"], result=True)
    assert ended.content["result"] == result
    assert ended.stdout.decode() == printed


@pytest.mark.parametrize(
    "text", ["😀 'single' \"double\" {{x}} \\n \\u0041 $HOME $(HOME) `id`", "a\nb\n\tc", "\x00\x01\x1f"]
)
def test_difficult_text_arrives_unharmed(volume: Volume, tmp_path: Path, text: str) -> None:
    (tmp_path / "value").write_text(text)
    ended = volume.run(["cat", str(tmp_path / "value")], result=True, parameters=[_parameter(tmp_path / "value")])
    assert ended.content["result"] == text
    assert ended.content["parameters"] == {"p": text}


def test_bytes_that_are_no_text_become_replacement_characters(volume: Volume, tmp_path: Path) -> None:
    (tmp_path / "value").write_bytes(b"a\xff\xfeb")
    ended = volume.run(["cat", str(tmp_path / "value")], result=True, parameters=[_parameter(tmp_path / "value")])
    assert ended.stdout == b"a\xff\xfeb"
    assert ended.content["result"] == "a��b" == ended.content["parameters"]["p"]


@pytest.mark.spec("PARAM-5")
@pytest.mark.parametrize(("content", "value"), [("x\n", "x"), ("x\n\n", "x\n"), ("\n", ""), ("", ""), ("x\r\n", "x\r")])
def test_a_parameter_is_its_file_less_one_newline(volume: Volume, tmp_path: Path, content: str, value: str) -> None:
    (tmp_path / "value").write_bytes(content.encode())
    assert volume.run(["true"], parameters=[_parameter(tmp_path / "value")]).content["parameters"] == {"p": value}


@pytest.mark.spec("PARAM-4")
def test_a_missing_file_is_the_default_or_an_error_naming_parameter_and_path(volume: Volume) -> None:
    ended = volume.run(["true"], parameters=[{"name": "p", "path": "/nowhere", "default": "d"}])
    assert ended.content["parameters"] == {"p": "d"}
    ended = volume.run(["true"], parameters=[{"name": "p", "path": "/nowhere"}])
    assert ended.code == 0
    assert "'p'" in ended.content["error"]
    assert "/nowhere" in ended.content["error"]


def test_ten_megabytes_pass_and_the_result_is_their_end(volume: Volume) -> None:
    lines = 10 * 2**20 // 16
    ended = volume.run(["sh", "-c", f"yes 0123456789abcde | head -n {lines}"], result=True)
    assert ended.stdout.count(b"0123456789abcde\n") == lines
    assert len(ended.content["result"]) == frame.RESULT_BYTES_MAX
    assert ended.content["result"] == ("0123456789abcde\n" * (lines + 1))[: 16 * lines - 1][-frame.RESULT_BYTES_MAX :]


def test_a_result_that_is_cut_inside_a_character_begins_with_the_next_one(volume: Volume) -> None:
    ended = volume.run(
        [sys.executable, "-c", "import sys; sys.stdout.buffer.write('é'.encode() * 200000 + b'x')"], result=True
    )
    assert set(ended.content["result"]) == {"é", "x"}


def test_outputs_beyond_the_frame_are_at_the_end_of_the_log(volume: Volume, tmp_path: Path) -> None:
    value = os.urandom(3000).hex()
    (tmp_path / "value").write_text(value)
    ended = volume.run(["echo", "said"], parameters=[_parameter(tmp_path / "value")], budget=600)
    assert len(ended.termination) <= 600
    assert ended.content == {"code": 0, "parameters": {"p": value}}
    assert list(frame.strip_spill(ended.stdout.decode().splitlines())) == ["said"]


def test_a_parameter_beyond_all_limits_is_an_error(volume: Volume, tmp_path: Path) -> None:
    with (tmp_path / "value").open("wb") as file:
        file.truncate(frame.CONTENT_BYTES_MAX + 1)
    assert "artifact" in volume.run(["true"], parameters=[_parameter(tmp_path / "value")]).content["error"]


def test_signals_reach_the_whole_process_group(volume: Volume) -> None:
    program = volume.shim(
        [
            "sh",
            "-c",
            "r=$(mktemp -u); (trap 'echo child; exit' TERM; : > $r; while :; do sleep 0.05; done) & trap '' TERM; "
            "until [ -e $r ]; do sleep 0.01; done; rm $r; echo up; wait; exit 7",
        ],
        result=True,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == b"up\n"
    program.send_signal(signal.SIGTERM)
    ended = volume.end(program, {"container": "main"})
    assert ended.stdout == b"child\n"
    assert frame.decode(ended.termination, NONCE) == {"code": 7, "result": "up\nchild"}


def test_a_command_that_dies_of_a_forwarded_signal_is_reported(volume: Volume) -> None:
    program = volume.shim(["sh", "-c", "echo up; exec sleep 60"])
    assert program.stdout is not None
    program.stdout.readline()
    program.send_signal(signal.SIGTERM)
    assert volume.end(program, {"container": "main"}).code == 143


def test_kill_signals_the_running_shim(volume: Volume) -> None:
    program = volume.shim(["sh", "-c", "trap 'exit 9' USR1; echo up; while :; do sleep 0.05; done"])
    assert program.stdout is not None
    program.stdout.readline()
    told = {"container": "main", "nonce": NONCE, "budget": 1500}
    killer = volume.start([str(volume.directory / "shim"), "kill", str(int(signal.SIGUSR1))], told)
    assert volume.end(killer, told).code == 0
    assert volume.end(program, told).code == 9


ORPHANS = """
import os, time
if os.fork() == 0:
    if os.fork() == 0:
        os._exit(0)
    os._exit(0)
os.wait()
deadline = time.monotonic() + 5
while time.monotonic() < deadline:
    children = open(f"/proc/{os.getppid()}/task/{os.getppid()}/children").read().split()
    if children == [str(os.getpid())]:
        print("reaped")
        break
"""


def test_orphans_are_reaped(volume: Volume) -> None:
    assert volume.run([sys.executable, "-c", ORPHANS]).stdout == b"reaped\n"


def test_output_held_open_by_what_is_left_behind_is_closed_two_seconds_after_the_end(volume: Volume) -> None:
    began = time.monotonic()
    ended = volume.run(
        ["sh", "-c", "echo said; (sleep 0.3; echo late; exec setsid sleep 5 2>/dev/null) & exit 4"], result=True
    )
    assert 1.9 < time.monotonic() - began < 4.5
    assert (ended.code, ended.content["result"]) == (4, "said\nlate")


def test_a_shim_that_is_killed_releases_its_lock_and_leaves_no_exit_code(volume: Volume) -> None:
    program = volume.shim(["sh", "-c", "echo $$; exec sleep 60"])
    assert program.stdout is not None
    child = int(program.stdout.readline())
    told = {"container": "wait", "nonce": NONCE, "budget": 1500, "mains": ["main"]}
    waiting = volume.start([sys.executable, "-m", "tiphys.executor", "wait"], told)
    program.kill()
    os.kill(child, signal.SIGKILL)
    ended = volume.end(waiting, told)
    assert (ended.code, ended.content) == (0, {"artifacts": []})
    assert not (volume.directory / "exit-main").exists()


@pytest.mark.spec("CSET-1", "CSET-2")
def test_a_container_waits_for_those_it_depends_on(volume: Volume) -> None:
    second = volume.shim(["sh", "-c", "cat $TIPHYS_MOUNT_TIPHYS_SHIM/x"], container="b", after=["a"], result=True)
    assert volume.run(["sh", "-c", "echo first > $TIPHYS_MOUNT_TIPHYS_SHIM/x"], container="a").code == 0
    ended = volume.end(second, {"container": "b"})
    assert (ended.code, ended.content["result"]) == (0, "first")


def test_a_container_does_not_start_after_a_failure(volume: Volume) -> None:
    volume.run(["false"], container="a")
    ended = volume.run(["echo", "ran"], container="b", after=["a"])
    assert (ended.code, ended.stdout) == (64, b"")
    assert ended.content["message"] == 'dependency "a" exited with non-zero code: 1'


@pytest.mark.spec("CSET-5")
def test_a_container_whose_dependency_was_killed_ends_as_if_stopped(volume: Volume) -> None:
    first = volume.shim(["sleep", "60"], container="a")
    second = volume.shim(["echo", "ran"], container="b", after=["a"])
    _there(volume.directory / "lock-a", first)
    _there(volume.directory / "pid-b", second)
    first.kill()
    ended = volume.end(second, {"container": "b"})
    assert (ended.code, ended.stdout) == (143, b"")
    assert ended.content == {"code": 143, "message": 'dependency "a" was killed'}
    assert (volume.directory / "exit-b").read_text() == "143"


def test_a_container_that_waits_for_others_can_be_stopped(volume: Volume) -> None:
    program = volume.shim(["echo", "ran"], container="b", after=["a"])
    _there(volume.directory / "pid-b", program)
    program.send_signal(signal.SIGTERM)
    assert volume.end(program, {"container": "b"}).code == 143


@pytest.mark.spec("CSET-4")
def test_a_container_is_attempted_as_often_as_told(volume: Volume) -> None:
    count = "echo x >> $TIPHYS_MOUNT_TIPHYS_SHIM/count; test $(wc -l < $TIPHYS_MOUNT_TIPHYS_SHIM/count) -ge 3"
    assert volume.run(["sh", "-c", count], attempts=2, pause_s=0.01).code == 1
    assert volume.run(["sh", "-c", count], attempts=2, pause_s=0.01).code == 0


def test_the_users_own_termination_message_travels_in_the_frame(tmp_path: Path) -> None:
    from tiphys.executor.shim import users_message  # noqa: PLC0415

    (tmp_path / "message").write_text("disk full\n")
    assert users_message(str(tmp_path / "message"), paths.SHIM_MOUNT) == "disk full"
    assert users_message(str(tmp_path / "nothing"), paths.SHIM_MOUNT) == ""
    assert users_message(str(tmp_path / "message"), "/some/real/directory") == ""


def test_the_command_does_not_see_the_instructions(volume: Volume) -> None:
    assert b"TIPHYS_INSTRUCTIONS" not in volume.run(["env"]).stdout


def test_without_mounts_a_program_of_an_image_is_found_by_its_name(volume: Volume) -> None:
    assert volume.run(["/only/in/the/image/echo", "x"]).stdout == b"x\n"
    ended = volume.run(["/only/in/the/image/no-such-command"])
    assert (ended.code, "no-such-command" in ended.content["message"]) == (64, True)


def test_without_mounts_the_node_says_where_the_message_goes(volume: Volume, tmp_path: Path) -> None:
    env = {paths.TERMINATION_ENV: str(tmp_path / "message")}
    program = volume.start([str(volume.directory / "shim"), "--", "true"], shim_instructions({}), env=env)
    volume.end(program, {"container": "main"})
    assert frame.decode((tmp_path / "message").read_text(), NONCE) == {"code": 0}


@pytest.mark.spec("PROG-2")
@pytest.mark.parametrize(
    ("written", "progress"),
    [
        ("1/3\n2/3\n", "2/3"),
        ("1/3\n2/3", "2/3"),
        (" 1/3 \nhalf\n4/3\n-1/3\n1/\n0/0\n", "1/3"),
        ("1/3\n" * 3000 + "3/3\n\n", "3/3"),
        ("1" * 30 + "/" + "9" * 30, None),
        ("", None),
    ],
)
def test_progress_is_the_last_line_of_its_file_that_says_some(
    volume: Volume, written: str, progress: str | None
) -> None:
    (volume.directory / "progress").write_text(written)
    assert volume.run(["true"]).content.get("progress") == progress


@pytest.mark.spec("PROG-2")
def test_what_the_file_says_is_told_when_it_changes(volume: Volume) -> None:
    progress = volume.directory / "progress"
    progress.write_text("1/3\n")
    teller = volume.start([str(volume.directory / "shim"), "progress", "0.02"], shim_instructions({}))
    assert teller.stdout is not None
    assert teller.stdout.readline() == b"1/3\n"
    progress.write_text("1/3\nno progress\n")
    progress.write_text("3/3")
    assert teller.stdout.readline() == b"3/3\n"
    teller.terminate()
    assert (teller.wait(10), teller.stdout.read()) == (0, b"")


# ------------------------------------------------------------------------------------------------ paused


def test_a_container_paused_before_its_command_waits_for_a_file(volume: Volume) -> None:
    program = _paused(volume, "BEFORE", ["echo", "ran"])
    assert program.poll() is None
    (volume.directory / "ctr/main/before").touch()
    ended = volume.end(program, {"container": "main"})
    assert (ended.code, ended.stdout) == (0, b"ran\n")
    assert "ctr/main/before" in ended.stderr


def test_a_container_paused_after_its_command_reports_what_is_there_when_it_goes_on(
    volume: Volume, tmp_path: Path
) -> None:
    program = _paused(volume, "AFTER", ["sh", "-c", "echo ran; exit 3"], parameters=[_parameter(tmp_path / "value")])
    assert program.stdout is not None
    assert program.stdout.readline() == b"ran\n"
    assert not (volume.directory / "exit-main").exists()
    (tmp_path / "value").write_text("looked at")
    (volume.directory / "ctr/main/after").touch()
    ended = volume.end(program, {"container": "main"})
    assert ended.content == {"code": 3, "parameters": {"p": "looked at"}}


def test_a_container_paused_before_its_command_can_be_stopped(volume: Volume) -> None:
    program = _paused(volume, "BEFORE", ["echo", "ran"])
    program.terminate()
    ended = volume.end(program, {"container": "main"})
    assert (ended.code, ended.stdout) == (143, b"")


def test_a_container_paused_after_its_command_reports_when_it_is_stopped(volume: Volume) -> None:
    program = _paused(volume, "AFTER", ["echo", "ran"], result=True)
    assert program.stderr is not None
    assert b"ctr/main/after" in program.stderr.readline()
    program.terminate()
    ended = volume.end(program, {"container": "main"})
    assert (ended.code, ended.content["result"]) == (0, "ran")


def test_who_is_stopped_while_the_command_runs_is_not_paused_after_it(volume: Volume) -> None:
    program = _paused(volume, "AFTER", ["sh", "-c", "echo up; exec sleep 60"])
    assert program.stdout is not None
    assert program.stdout.readline() == b"up\n"
    program.terminate()
    assert volume.end(program, {"container": "main"}).code == 143


def test_another_value_than_true_does_not_pause(volume: Volume) -> None:
    env = {"ARGO_DEBUG_PAUSE_BEFORE": "false", "ARGO_DEBUG_PAUSE_AFTER": "1"}
    program = volume.start([str(volume.directory / "shim"), "--", "true"], shim_instructions({}), env=env)
    assert volume.end(program, {"container": "main"}).code == 0
    assert not (volume.directory / "ctr").exists()


# ------------------------------------------------------------------------------------------------ logs


def test_logs_are_kept_when_they_are_to_be_archived(volume: Volume) -> None:
    ended = volume.run(["sh", "-c", "echo out; echo err >&2"], keep_log=True)
    assert (ended.stdout, ended.stderr) == (b"out\n", "err\n")
    assert sorted((volume.directory / "log-main").read_text().split()) == ["err", "out"]


def test_a_reader_that_goes_away_does_not_end_the_command(volume: Volume) -> None:
    program = volume.shim(["sh", "-c", "yes | head -n 100000; exit 5"], result=True)
    assert program.stdout is not None
    program.stdout.close()
    program.wait(timeout=20)
    assert program.returncode == 5


@pytest.mark.parametrize("staged", ["python"], indirect=True)  # the program in C has no modules
def test_no_word_of_what_is_staged_needs_site_packages(volume: Volume) -> None:
    slow = ("typing", "dataclasses", "tarfile", "asyncio")
    code = f"print([m for m in sys.modules if m.split('.')[0] in {slow}])"
    lib = volume.directory / "lib"
    text = f"import sys; sys.path.insert(0, {str(lib)!r}); import tiphys.executor.shim; {code}"
    ran = subprocess.run([sys.executable, "-SEs", "-c", text], capture_output=True, check=True)
    assert ran.stdout == b"[]\n"


def _parameter(path: Path) -> dict[str, str]:
    return {"name": "p", "path": str(path)}


def _paused(volume: Volume, moment: str, command: list[str], **told: Any) -> subprocess.Popen[bytes]:
    """A container that is paused before or after its command, once it can be released."""
    env = {f"ARGO_DEBUG_PAUSE_{moment}": "true"}
    program = volume.start([str(volume.directory / "shim"), "--", *command], shim_instructions(told), env=env)
    _there(volume.directory / "ctr/main", program)
    assert (volume.directory / "ctr/main").stat().st_mode & 0o777 == 0o777
    return program


def _there(path: Path, program: subprocess.Popen[bytes]) -> None:
    """Wait until `program` has made and filled what is at `path`."""
    while not path.exists() or (path.name.startswith("pid-") and not path.read_text()):
        assert program.poll() is None
