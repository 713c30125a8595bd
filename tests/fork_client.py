"""`python -I -S fork_client.py SOCKET MODULE ARGUMENTS...`: the module, run in a fork of a server.

It hands on its files, folder and environment, and ends as that ends, see `fork_server.py`.
"""

import json
import os
import socket
import sys
import time


def main():
    path, module, *arguments = sys.argv[1:]
    folder = os.getcwd()  # noqa: PTH109 (a path costs an import of a twentieth of a second)
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    asked = {"module": module, "arguments": arguments, "folder": folder, "paths": paths}
    text = json.dumps(asked | {"environment": dict(os.environ)}).encode() + b"\n"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        sent = socket.send_fds(connection, [text], [0, 1, 2])
        connection.sendall(text[sent:])
        # A pipe that this process holds as well would seem open when the other has ended.
        nothing = os.open(os.devnull, os.O_RDWR)
        for file in range(3):
            os.dup2(nothing, file)
        status = int(connection.recv(16) or 1)
    if status < 0:
        os.kill(os.getpid(), -status)
        time.sleep(60)
    sys.exit(status)


if __name__ == "__main__":
    main()
