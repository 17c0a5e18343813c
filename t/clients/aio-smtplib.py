# SPDX-License-Identifier: ISC
"""aio-smtplib.py - submit a message by aiosmtplib: one that the email package
makes, or over TLS a whole one."""

import asyncio
import email.message
import email.policy
import os
import pathlib

import aiosmtplib

FOLDER = pathlib.Path(os.environ["MAIL"])
TLS = bool(os.environ.get("TLS"))
RECIPIENTS = [os.environ[name] for name in ("TO", "CC", "BCC")]


def make_message():
    message = email.message.EmailMessage(email.policy.SMTP)
    message["From"] = os.environ["FROM"]
    message["To"] = os.environ["TO"]
    message["Cc"] = os.environ["CC"]
    message["Bcc"] = os.environ["BCC"]
    message["Subject"] = (FOLDER / "subject").read_text().strip()
    message.set_content((FOLDER / "text").read_text(), cte="8bit")
    message.add_attachment((FOLDER / "attachment").read_bytes(),
                           "application", "octet-stream")
    return message


asyncio.run(aiosmtplib.send(
    (FOLDER / "message").read_bytes() if TLS else make_message(),
    sender=os.environ["FROM"], recipients=RECIPIENTS,
    hostname="localhost", port=int(os.environ["PORT"]), start_tls=TLS))
