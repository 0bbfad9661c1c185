# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""A played vhost-user backend, which offers every feature.

What a guest is then offered is what QEMU's device asks for: no kernel has a part
in it, so that a test sees a device's properties at work on any machine.
"""

import socket
import struct
import threading

# vhost-user: request, flags, size of what follows
HEADER = struct.Struct('<III')
GET_FEATURES = 1
VERSION = 1
REPLY = 4
# With it a backend has to speak of more (docs/interop/vhost-user.rst).
PROTOCOL_FEATURES = 30
EVERYTHING = 2 ** 64 - 1 & ~(1 << PROTOCOL_FEATURES)


class VhostUserBackend:
    """Serves the QEMU that connects to the socket at a path"""

    def __init__(self, path):
        self.path = path
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._server.close()
        self.path.unlink()

    def _serve(self):
        try:
            peer = self._server.accept()[0]
        except OSError:
            return  # closed before QEMU came
        with peer:
            while True:
                header = peer.recv(HEADER.size, socket.MSG_WAITALL)
                if len(header) < HEADER.size:
                    return
                request, _, size = HEADER.unpack(header)
                peer.recv(size, socket.MSG_WAITALL)
                if request == GET_FEATURES:
                    peer.sendall(HEADER.pack(request, VERSION | REPLY, 8)
                                 + struct.pack('<Q', EVERYTHING))
