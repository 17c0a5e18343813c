# SPDX-License-Identifier: ISC
"""twisted-mail.py - submit a whole message by Twisted."""

import os
import pathlib

from twisted.internet import task
from twisted.mail.smtp import sendmail

RECIPIENTS = [os.environ[name] for name in ("TO", "CC", "BCC")]


def main(reactor):
    message = pathlib.Path(os.environ["MAIL"], "message.lf").read_bytes()
    return sendmail("127.0.0.1", os.environ["FROM"], RECIPIENTS, message,
                    port=int(os.environ["PORT"]), reactor=reactor)


task.react(main)
