from collections.abc import Callable

import pytest

from mov_ai.errors import MovAIError, UsageError, run_script


def _raise(error: BaseException) -> Callable[[], object]:
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize(
    ("work", "code", "said"),
    [
        (lambda: 5, 0, ""),
        (_raise(UsageError("--size: expected 32 or more")), 2, "name: --size: expected 32 or more\n"),
        (_raise(MovAIError("disk full")), 1, "name: disk full\n"),
        (_raise(KeyboardInterrupt()), 130, "name: go on with the same command\n"),
    ],
)
def test_a_script_ends_with_one_line_and_an_exit_code(
    work: Callable[[], object], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_script("name", work, "go on with the same command") == code
    assert capsys.readouterr().err == said


def test_errors_of_the_programme_are_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        run_script("name", lambda: 1 / 0)
