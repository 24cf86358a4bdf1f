"""`mov-ai`: the commands, and what becomes of errors: one line, an exit code, no traceback."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any

import typer

from mov_ai import __version__
from mov_ai.cli.assemble import assemble
from mov_ai.cli.data import data
from mov_ai.cli.eval import evaluate
from mov_ai.cli.generate import generate
from mov_ai.cli.inspect import inspect
from mov_ai.cli.interpolate import interpolate
from mov_ai.cli.messages import say
from mov_ai.cli.parse import parse
from mov_ai.cli.plan import plan
from mov_ai.cli.sweep import sweep
from mov_ai.cli.weights import weights
from mov_ai.cli.world import world
from mov_ai.errors import MovAIError
from mov_ai.memory import is_out_of_memory

INTERRUPTED = 130
#: Settings with which a command needs less; `generate` says itself which would fit.
_LESS_MEMORY = {
    "generate": "make a smaller video (--stages 256), or fewer frames (--frames 8)",
    "eval": "measure fewer videos at a time (--batch 1), or fewer of their frames (--max-frames 16)",
    "data": "use fewer processes (--workers 1), or smaller videos (--size 128)",
    "parse": "give shorter texts, or parse a file in parts (--file)",
    "plan": "ask for fewer frames (--frames 8), or a smaller sheet (--size 128)",
    "interpolate": "begin with a smaller video",
    "inspect": "look at one block (--block 1), or at one step (--step 1)",
    "world": "make smaller clips (--size 64), or fewer of them",
}

app = typer.Typer(
    name="mov-ai",
    help="Text to video through a scene graph and a layout that can be read, edited and re-entered.",
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain help: rich would cost a third of the time that `--help` takes.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(parse)
app.command()(plan)
app.command()(generate)
app.command()(interpolate)
app.command("eval")(evaluate)
app.command()(assemble)
app.add_typer(inspect, name="inspect")
app.add_typer(world, name="world")
app.add_typer(data, name="data")
app.add_typer(weights, name="weights")
app.add_typer(sweep, name="sweep")


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    """Text to video through a scene graph and a layout that can be read, edited and re-entered."""
    if version:
        typer.echo(f"mov-ai {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, the process's own if no arguments are given.

    Returns:
        Exit code: 0 done, 1 failed, 2 wrong use, 130 interrupted.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    # Only before the command's name: after it, the word may be part of a prompt.
    command = next((i for i, word in enumerate(arguments) if not word.startswith("-")), len(arguments))
    debug = "--debug" in arguments[:command]
    _use_utf8()
    try:
        with warnings.catch_warnings():
            if not debug:
                # Libraries' warnings are for developers; ours are said by the commands.
                warnings.simplefilter("ignore")
            code = app(arguments, prog_name="mov-ai", standalone_mode=False)
        sys.stdout.flush()
    except SystemExit as error:
        # typer answers a broken pipe by leaving.
        code = error.code
    except BaseException as error:
        if debug:
            traceback.print_exc()
        code = _report(error, arguments[command] if command < len(arguments) else "")
    code = code if isinstance(code, int) else 0
    if code == INTERRUPTED:
        say("interrupted; nothing half-written is left")
    return code


def _report(error: BaseException, command: str) -> int:
    """Say an error of a command in one line; returns the exit code."""
    if isinstance(error, BrokenPipeError):
        # Whoever read our output has left (`mov-ai parse ... | head -1`): nothing to say, and nobody to say it to.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        return INTERRUPTED
    code, message = _explain(error, command)
    say(f"error: {message}")
    return code


def _explain(error: BaseException, command: str) -> tuple[int, str]:
    if isinstance(error, MovAIError):
        return error.exit_code, str(error)
    # typer keeps its base class of usage errors in another place from version to version.
    if hasattr(error, "format_message"):
        context: Any = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "mov-ai"
        return int(getattr(error, "exit_code", 2)), f"{error.format_message().rstrip('.')}; see `{path} --help`"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return 1, f"{error.filename or 'output'}: no space left on the disk; free some or choose another place"
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return 2, f"{error.filename or 'input or output'}: no such file, its name is too long; check what was typed"
    if isinstance(error, OSError) and error.strerror:
        return 1, f"{error.filename or 'input or output'}: {error.strerror}; check the path and its permissions"
    if is_out_of_memory(error):
        return 1, f"not enough memory; {_LESS_MEMORY.get(command, 'close other programs, or use a larger machine')}"
    found = f"{type(error).__name__}: {error}".rstrip(": ")
    return 1, f"unexpected {found}; this is a bug: please report it with what `mov-ai --debug ...` prints"


def _use_utf8() -> None:
    """Captions and JSON go out as UTF-8 even where the terminal's locale says otherwise."""
    for stream in (sys.stdout, sys.stderr):
        encoding = (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "")
        if encoding != "utf8" and hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
