"""Runs a command through the warm process: requests the fork, passes signals on, and exits with the command's exit code.

Shells and commands that start other commands use it. It must start within milliseconds, so it imports almost nothing.
"""

import _signal
import _socket
import array
import marshal
import os
import sys


def main() -> None:
    warm = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    warm.connect(os.environ["DISTILLTEST_WARM"])
    task = {
        "module": sys.argv[1],
        "arguments": sys.argv[2:],
        "folder": os.getcwd(),  # noqa: PTH109 -- pathlib takes longer than all the rest
        "environment": dict(os.environ),
        "session": False,
        "ignored": [number for number in _signal.valid_signals() if _signal.getsignal(number) == _signal.SIG_IGN],
    }
    warm.sendmsg([marshal.dumps(task)], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
    for number in (_signal.SIGHUP, _signal.SIGINT, _signal.SIGTERM):
        if _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, lambda received, _: warm.send(str(received).encode()))
    code = int(warm.recv(16))
    if code < 0:
        _signal.signal(-code, _signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main()
