"""How a program of the lab ends when it is told to: by an exception, so that whatever it has built is taken down on the way out."""
import signal

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(BaseException):
    """A signal asks us to end; its argument is the exit code."""


def end_by_exception():
    """From now on the first of these signals raises Ended; the ones after it must not stop the clearing up."""
    def end(number, _):
        for other in SIGNALS:
            signal.signal(other, signal.SIG_IGN)
        raise Ended(128 + number)

    for number in SIGNALS:
        signal.signal(number, end)
