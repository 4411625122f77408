"""The `castiron` command, and `python -m castiron`: an interrupt before a command has begun ends it without a word."""

import gc
import signal


def main() -> None:
    """Load the command, and run it."""
    # Who was started with interrupts ignored, as by `nohup`, goes on ignoring them.
    is_usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_usual:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.disable()  # what is loaded stays: to look for garbage in it costs a read command a sixth of its CPU
    from castiron.cli.main import main as command  # noqa: PLC0415 - 50 ms in which a traceback would be of no use

    gc.freeze()
    gc.enable()
    if is_usual:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    command()


if __name__ == "__main__":
    main()
